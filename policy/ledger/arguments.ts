// Writes an accounting call as the keys and arguments of the function `accounting_apply` (lua/arguments.lua reads them).
import { usageDirections, usageWindows } from '../fup/rules.ts';
import { fingerprint, writeDescribed } from './described.ts';
import { keys, tag } from './keys.ts';
import type { AccountingCall, AccountingRecord, Threshold, UsageWindows } from './types.ts';

/** Numbers go as decimal digits, null as ''. `boots`: boot instants of the NAS instance. */
export function accountingArguments(call: AccountingCall, boots: readonly number[]): string[] {
  const { lane, record } = call;
  const described = writeDescribed(record);
  return [
    lane.walId,
    digits(lane.previous),
    digits(lane.position),
    digits(lane.generation),
    tag(record.partition),
    record.kind,
    record.nasInstance,
    record.classUuid,
    digits(fingerprint(described)),
    digits(record.eventAtMs),
    digits(record.receivedAtMs),
    digits(record.tenantId),
    digits(record.nasId),
    digits(record.subscriptionId),
    digits(record.sessionTimeS),
    digits(record.upOctets),
    digits(record.downOctets),
    digits(record.upGigawords),
    digits(record.downGigawords),
    digits(call.planPeakBps),
    digits(call.adoptedAtMs),
    digits(call.meterSinceMs),
    call.meter,
    boots.map(digits).join(),
    windowsText(call.windows),
    thresholdsText(call.thresholds),
    record.terminateCause,
    described,
  ];
}

export function accountingKeys(record: AccountingRecord): string[] {
  const { partition, tenantId, nasInstance, sessionId } = record;
  return [
    keys.lanes(partition),
    keys.session(partition, tenantId, nasInstance, sessionId),
    keys.live(partition),
    keys.liveOfNas(partition, nasInstance),
    keys.enforce(partition),
    keys.quarantine(partition),
    keys.boots(partition),
    keys.accounted(partition),
  ];
}

/** Windows have no gaps: their starts and the end of the last say all. Mostly the same object comes with every call of a day. */
export const windowsText = once((windows: UsageWindows) =>
  usageWindows
    .map((kind) => {
      const last = windows[kind].at(-1);
      return `${last ? [...windows[kind].map(({ fromMs }) => fromMs), last.toMs].map(digits).join() : ''};`;
    })
    .join(''),
);

/** Windows count from 1, as Lua's lists do. */
export const thresholdsText = once((thresholds: readonly Threshold[]) =>
  thresholds
    .map(
      ({ window, direction, bytes }) =>
        `${usageWindows.indexOf(window) + 1},${usageDirections.indexOf(direction)},${digits(Math.ceil(bytes))};`,
    )
    .join(''),
);

function once<T extends object>(write: (value: T) => string): (value: T) => string {
  const written = new WeakMap<T, string>();
  return (value) => {
    const known = written.get(value);
    if (known !== undefined) return known;
    const text = write(value);
    written.set(value, text);
    return text;
  };
}

/** `String` writes whole numbers below 10^21 in full; a fraction is cut off. */
function digits(value: number | null): string {
  return value === null ? '' : String(Math.trunc(value));
}

// Writes an accounting call as the keys and arguments of the function `accounting_apply` (lua/arguments.lua reads them).
import { usageDirections, usageWindows } from '../fup/rules.ts';
import { fingerprint, writeDescribed } from './described.ts';
import { keys, tag } from './keys.ts';
import type { AccountingCall, AccountingRecord } from './types.ts';

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
    described,
    record.terminateCause,
    ...list(boots),
    ...usageWindows.flatMap((kind) => list(edgesOf(call.windows[kind]))),
    ...list(call.thresholds.length, thresholdArguments(call)),
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

/** Windows have no gaps: their starts and the end of the last say all. */
function edgesOf(windows: readonly { readonly fromMs: number; readonly toMs: number }[]): number[] {
  const last = windows.at(-1);
  return last ? [...windows.map(({ fromMs }) => fromMs), last.toMs] : [];
}

/** Indexes count from 1, as Lua's do. */
function thresholdArguments({ thresholds }: AccountingCall): number[] {
  return thresholds.flatMap(({ window, direction, bytes }) => [
    usageWindows.indexOf(window) + 1,
    usageDirections.indexOf(direction),
    Math.ceil(bytes),
  ]);
}

function list(count: readonly number[] | number, values: readonly number[] = []): string[] {
  return typeof count === 'number'
    ? [digits(count), ...values.map(digits)]
    : [digits(count.length), ...count.map(digits)];
}

/** `String` writes whole numbers below 10^21 in full; a fraction is cut off. */
function digits(value: number | null): string {
  return value === null ? '' : String(Math.trunc(value));
}

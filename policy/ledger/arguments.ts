// Packs accounting calls of one lane for the function `accounting_apply` (lua/arguments.lua reads them).
import { usageDirections, usageWindows } from '../fup/rules.ts';
import { fingerprint, writeDescribed } from './described.ts';
import { keys, tag } from './keys.ts';
import { createPacker } from './packer.ts';
import { type AccountingCall, accountingKinds, type Threshold, type UsageWindows } from './types.ts';

/** A call with the boot instants of its NAS instance. */
export type BootedCall = { readonly call: AccountingCall; readonly boots: readonly number[] };

/** Arguments of the function for calls of one WAL, generation and partition, in the order of their lane. */
export function accountingArguments(calls: readonly BootedCall[]): (string | Buffer)[] {
  const [first] = calls;
  if (!first) throw new Error('a call of the ledger brings no record');
  const { lane, record } = first.call;
  const texts: string[] = [];
  const numberOf = (text: string) => {
    const known = texts.indexOf(text);
    return known < 0 ? texts.push(text) : known + 1;
  };
  packer.begin();
  for (const { call, boots } of calls) {
    packRecord(call, boots, numberOf(windowsText(call.windows)), numberOf(thresholdsText(call.thresholds)));
  }
  return [lane.walId, String(lane.generation), tag(record.partition), packer.take(), ...texts];
}

const packer = createPacker();
/** No position, because it is none of 2^53. */
const noPosition = 2 ** 54;
const longestTime = 4_102_444_800_000;
const longestId = 2 ** 48 - 1;
const longestCounter = 2 ** 32 - 1;

/** Numbers and texts in the order of `RECORD` of lua/arguments.lua. */
function packRecord(
  { lane, record, ...facts }: AccountingCall,
  boots: readonly number[],
  windows: number,
  limits: number,
) {
  const { partition, tenantId, subscriptionId, nasInstance, sessionId } = record;
  const described = writeDescribed(record);
  let invalid = '';
  /** A number that cannot be is told as text, and 0 stands for it. */
  const number = (name: string, value: number, most: number, length: number) => {
    const whole = Math.trunc(value);
    const fits = whole >= 0 && whole <= most;
    if (!fits) invalid ||= `${name}=${value}`;
    packer.uint(fits ? whole : 0, length);
  };
  /** One more than the number; 0 is null. */
  const optional = (name: string, value: number | null, most: number, length: number) => {
    if (value === null) packer.uint(0, length);
    else number(name, value + 1, most + 1, length);
  };

  const from = packer.skip(4);
  packer.uint(positionOf(lane.previous), 7);
  packer.uint(positionOf(lane.position), 7);
  packer.uint(accountingKinds.indexOf(record.kind) + 1, 1);
  packer.uint(fingerprint(described), 4);
  number('event', record.eventAtMs, longestTime, 6);
  number('received', record.receivedAtMs, longestTime, 6);
  number('tenant', tenantId, longestId, 6);
  number('nas', record.nasId, longestId, 6);
  number('sub', subscriptionId, longestId, 6);
  optional('st', record.sessionTimeS, longestCounter, 5);
  optional('upoct', record.upOctets, longestCounter, 5);
  optional('downoct', record.downOctets, longestCounter, 5);
  optional('upgig', record.upGigawords, longestCounter, 5);
  optional('downgig', record.downGigawords, longestCounter, 5);
  number('peak', facts.planPeakBps, longestId, 6);
  optional('adopted', facts.adoptedAtMs, longestTime, 6);
  number('since', facts.meterSinceMs ?? 0, longestTime, 6);
  packer.uint(facts.meter === 'flow' ? 1 : 0, 1);
  packer.uint(windows, 1);
  packer.uint(limits, 1);
  const lengths = packer.skip(13);
  const booted = boots.length === 0 ? '' : boots.map((at) => Math.trunc(at)).join();
  packer.text(invalid, lengths, 2);
  packer.text(record.terminateCause, lengths + 2, 1);
  packer.text(record.classUuid, lengths + 3, 1);
  packer.text(booted, lengths + 4, 2);
  packer.text(nasInstance, lengths + 6, 2);
  packer.text(keys.session(partition, tenantId, nasInstance, sessionId), lengths + 8, 2);
  packer.text(`${tenantId}:${subscriptionId}`, lengths + 10, 1);
  packer.text(described, lengths + 11, 2);
  packer.length(from);
}

function positionOf(value: number): number {
  return Number.isSafeInteger(value) && value >= 0 ? value : noPosition;
}

/** Windows have no gaps: their starts and the end of the last say all. Mostly the same object comes with every call of a day. */
export const windowsText = once((windows: UsageWindows) =>
  usageWindows
    .map((kind) => {
      const last = windows[kind].at(-1);
      return `${last ? [...windows[kind].map(({ fromMs }) => fromMs), last.toMs].map(Math.trunc).join() : ''};`;
    })
    .join(''),
);

/** Windows count from 1, as Lua's lists do. */
export const thresholdsText = once((thresholds: readonly Threshold[]) =>
  thresholds
    .map(
      ({ window, direction, bytes }) =>
        `${usageWindows.indexOf(window) + 1},${usageDirections.indexOf(direction)},${Math.ceil(bytes)};`,
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

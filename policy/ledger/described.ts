// The texts by which a record describes its session, one behind the other as `<octets>:<text>`: read in Lua only when they changed.
import type { AccountingRecord } from './types.ts';

/** In the order of lua/arguments.lua. */
const names = [
  'sessionId',
  'loginOutcomeHash',
  'userName',
  'sourceAddress',
  'nasIpAddress',
  'nasPort',
  'nasPortId',
  'framedIp',
  'framedIpv6Prefix',
  'delegatedIpv6Prefix',
  'callingStationId',
  'calledStationId',
] as const;

export type Described = Pick<AccountingRecord, (typeof names)[number]>;

export function writeDescribed(record: Described): string {
  return names.map((name) => `${Buffer.byteLength(record[name])}:${record[name]}`).join('');
}

/** The inverse; a text that is cut off is empty. */
export function readDescribed(bytes: Buffer): Described {
  let at = 0;
  const texts = names.map((name) => {
    const colon = bytes.indexOf(':', at);
    const length = colon < 0 ? 0 : Number(bytes.toString('latin1', at, colon));
    at = colon < 0 ? bytes.length : colon + 1 + length;
    return [name, bytes.toString('utf8', at - length, at)] as const;
  });
  return Object.fromEntries(texts) as Described;
}

/** 32 bits (FNV-1a) that tell whether the description of a session changed: mostly it does not, and is not written again. */
export function fingerprint(described: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < described.length; i++) hash = Math.imul(hash ^ described.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

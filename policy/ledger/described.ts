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

/** What of a description history shows. */
export type Named = Pick<AccountingRecord, 'sessionId' | 'userName' | 'framedIp'>;

const colon = 0x3a;
const zero = 0x30;
/** Places of {@link Named} among the texts; nothing behind the last one is read. */
const [sessionIdAt, userNameAt, framedIpAt] = [0, 2, 7];

/** Reads them out of a description from `from` on; a text that is cut off is empty. */
export function readNamed(bytes: Buffer, from: number): Named {
  let [sessionId, userName, framedIp] = ['', '', ''];
  let at = from;
  for (let text = 0; text <= framedIpAt; text++) {
    let length = 0;
    while (at < bytes.length && bytes[at] !== colon) length = length * 10 + (bytes[at++] as number) - zero;
    const begin = at + 1;
    at = begin + length;
    if (at > bytes.length) break;
    if (text === sessionIdAt) sessionId = bytes.toString('utf8', begin, at);
    else if (text === userNameAt) userName = bytes.toString('utf8', begin, at);
    else if (text === framedIpAt) framedIp = bytes.toString('utf8', begin, at);
  }
  return { sessionId, userName, framedIp };
}

/** 32 bits (FNV-1a) that tell whether the description of a session changed: mostly it does not, and is not written again. */
export function fingerprint(described: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < described.length; i++) hash = Math.imul(hash ^ described.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

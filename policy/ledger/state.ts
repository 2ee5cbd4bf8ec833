// The packed state of one incarnation of a session, as an outbox entry carries it (lua/outbox.lua) and a rebuild brings it back.
import { readDescribed } from './described.ts';

export type SessionState = {
  /** False: it was an earlier one of its session when the record was applied. */
  readonly current: boolean;
  readonly incarnation: number;
  /** What the next incarnation of the session is called. */
  readonly next: number;
  readonly firstAtMs: number;
  readonly classUuid: string;
  readonly upTotal: number;
  readonly downTotal: number;
  readonly sessionId: string;
  readonly userName: string;
  readonly framedIp: string;
};

const version = 1;
/** Behind version and place come `times` and `totals` of lua/session.lua. */
const times = 2;
const totals = times + 61;
const texts = totals + 40;

/** Undefined for anything of another version, or cut off. */
export function readState(bytes: Buffer): SessionState | undefined {
  if (bytes[0] !== version) return undefined;
  let at = texts;
  const found: string[] = [];
  for (let text = 0; text < 3; text++) {
    if (bytes.length < at + 2) return undefined;
    const from = at + 2;
    at = from + uint(bytes, at, 2);
    found.push(bytes.toString('latin1', from, at));
  }
  const { sessionId, userName, framedIp } = readDescribed(bytes.subarray(at));
  return {
    current: bytes[1] === 1,
    incarnation: uint(bytes, times, 3),
    next: uint(bytes, times + 3, 3),
    firstAtMs: uint(bytes, times + 16, 6),
    classUuid: found[0] ?? '',
    upTotal: uint(bytes, totals, 7),
    downTotal: uint(bytes, totals + 7, 7),
    ...{ sessionId, userName, framedIp },
  };
}

/** An unsigned number below 2^53, least octet first. */
export function uint(bytes: Buffer, at: number, length: number): number {
  if (length <= 6) return bytes.readUIntLE(at, length);
  return bytes.readUIntLE(at, 6) + bytes.readUIntLE(at + 6, length - 6) * 2 ** 48;
}

// The packed state of one incarnation of a session, as an outbox entry carries it (lua/outbox.lua) and a rebuild brings it back.
import { readUint } from './bytes.ts';
import { readNamed } from './described.ts';

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

export type SessionCounters = {
  readonly lastEventAtMs: number;
  readonly sessionTimeS: number | null;
  readonly upBytes: number;
  readonly downBytes: number;
};

/** What `times` and `totals` say of a session; undefined when they are cut off. */
export function readCounters(timesPart: Buffer, totalsPart: Buffer): SessionCounters | undefined {
  if (timesPart.length < totals - times || totalsPart.length < texts - totals) return undefined;
  const timed = readUint(timesPart, 46, 5);
  return {
    lastEventAtMs: readUint(timesPart, 22, 6),
    sessionTimeS: timed === 0 ? null : timed - 1,
    upBytes: readUint(totalsPart, 0, 7),
    downBytes: readUint(totalsPart, 7, 7),
  };
}

/** Undefined for anything of another version, or cut off. */
export function readState(bytes: Buffer): SessionState | undefined {
  if (bytes[0] !== version) return undefined;
  // Class uuid, earlier incarnations, flags, each behind its length.
  let at = texts;
  let classUuid = '';
  for (let text = 0; text < 3; text++) {
    if (bytes.length < at + 2) return undefined;
    const from = at + 2;
    at = from + readUint(bytes, at, 2);
    if (text === 0) classUuid = bytes.toString('latin1', from, at);
  }
  const { sessionId, userName, framedIp } = readNamed(bytes, at);
  return {
    current: bytes[1] === 1,
    incarnation: readUint(bytes, times, 3),
    next: readUint(bytes, times + 3, 3),
    firstAtMs: readUint(bytes, times + 16, 6),
    classUuid,
    upTotal: readUint(bytes, totals, 7),
    downTotal: readUint(bytes, totals + 7, 7),
    ...{ sessionId, userName, framedIp },
  };
}

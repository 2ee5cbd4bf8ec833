// The CoA and Disconnect server of an access server (RFC 5176): changes sessions at once and answers, the same again to a repetition.
import type { Speed } from '#policy/speed.ts';
import { type Decoded, encodeAnswer, mikrotikAttribute, readDynamicRequest } from './packets.ts';
import { parseRateLimit } from './rate-limit.ts';

export type DynamicCounts = {
  coa: number;
  disconnects: number;
  acked: number;
  nacked: number;
  repeated: number;
  /** Not authentic, too old, or no such request at all. */
  refused: number;
};

/** The sessions it acts on. */
export type DynamicSessions<S> = {
  find(sessionId: string, userName: string): S | undefined;
  changeRate(session: S, speed: Speed): void;
  end(session: S): void;
};

export type DynamicServerOptions<S> = {
  readonly secret: string;
  readonly address: string;
  readonly sessions: DynamicSessions<S>;
  readonly counts: DynamicCounts;
};

/** RFC 5176 §3.5 */
const errorCause = { identificationMismatch: 403, missingAttribute: 402, invalidValue: 407, sessionNotFound: 503 };
/** RFC 5176 §3.4: what is older may be a replay. */
const windowMs = 300_000;

/** Gives the answer to a datagram; undefined when there is none to give. */
export type DynamicServer = (datagram: Buffer, nowMs: number) => Buffer | undefined;

export function createDynamicServer<S>({ secret, address, sessions, counts }: DynamicServerOptions<S>): DynamicServer {
  /** The last request of each identifier, by its authenticator, with its answer. */
  const answered = new Map<number, { authenticator: Buffer; answer: Buffer }>();

  /** Error-Cause, or null when it was done. */
  function act(request: Decoded): number | null {
    const { attributes } = request;
    const nas = attributes['NAS-IP-Address'];
    if (nas !== undefined && nas !== address) return errorCause.identificationMismatch;
    const session = sessions.find(String(attributes['Acct-Session-Id'] ?? ''), String(attributes['User-Name'] ?? ''));
    if (!session) return errorCause.sessionNotFound;
    if (request.code === 'Disconnect-Request') {
      sessions.end(session);
      return null;
    }
    const text = mikrotikAttribute(request, 'Mikrotik-Rate-Limit');
    if (text === undefined) return errorCause.missingAttribute;
    const speed = parseRateLimit(text);
    if (!speed) return errorCause.invalidValue;
    sessions.changeRate(session, speed);
    return null;
  }

  return function answerTo(datagram, nowMs) {
    const request = readDynamicRequest(datagram, secret);
    const timestamp = request?.attributes['Event-Timestamp'];
    const stale = timestamp instanceof Date && Math.abs(nowMs - timestamp.getTime()) > windowMs;
    if (!request || stale) {
      counts.refused++;
      return undefined;
    }
    const known = answered.get(request.identifier);
    if (known?.authenticator.equals(request.authenticator)) {
      counts.repeated++;
      return known.answer;
    }
    const isCoa = request.code === 'CoA-Request';
    if (isCoa) counts.coa++;
    else counts.disconnects++;
    const cause = act(request);
    if (cause === null) counts.acked++;
    else counts.nacked++;
    const code = `${isCoa ? 'CoA' : 'Disconnect'}-${cause === null ? 'ACK' : 'NAK'}`;
    const answer = encodeAnswer(request, code, secret, cause === null ? [] : [['Error-Cause', cause]]);
    answered.set(request.identifier, { authenticator: Buffer.from(request.authenticator), answer });
    return answer;
  };
}

// One kind of request of all access servers: an identifier for each, repetitions with the same octets, and the reply that belongs to it.
import type { Secret } from '#aaa-server/wire/md5.ts';
import { isAgreement, isGenuine } from '../load/reply-check.ts';
import { createWheel } from './wheel.ts';

export type ExchangeOptions = {
  readonly subscribers: number;
  /** Source ports; subscriber i has the one of index i mod sockets. */
  readonly sockets: number;
  readonly secret: Secret;
  readonly timeoutMs: number;
  /** Times a request is sent before it is given up. */
  readonly tries: number;
  send(socket: number, request: Buffer): void;
  onAnswered(user: number, reply: Buffer, nowMs: number): void;
  onGivenUp(user: number, nowMs: number): void;
  /** The access server has no identifier left. */
  onCrowded(user: number, nowMs: number): void;
};

export type ExchangeCounts = {
  /** Requests, and how often they were sent again. */
  requests: number;
  repeated: number;
  /** Answered before the access server gave up. */
  answered: number;
  /** Answered by another code than was hoped for. */
  refused: number;
  givenUp: number;
  /** Genuine answers to what was given up: the work for them was in vain. */
  late: number;
  /** Genuine answers to what was answered already. */
  again: number;
  /** Answers to no request that the identifier had last: wrong authenticators. */
  bad: number;
};

export type Exchange = {
  readonly counts: ExchangeCounts;
  /** Requests whose access server waits for an answer. */
  outstanding(): number;
  /** Sends the request that `make` makes for the identifier. */
  begin(user: number, make: (identifier: number) => Buffer, nowMs: number): void;
  onReply(socket: number, reply: Buffer, nowMs: number): void;
  /** Repeats and gives up what is due. */
  advance(nowMs: number): void;
};

export const identifiers = 256;
const nobody = -1;
const tickMs = 10;

export function createExchange(options: ExchangeOptions): Exchange {
  const { subscribers, sockets, secret, timeoutMs, tries } = options;
  const userOf = new Int32Array(sockets * identifiers).fill(nobody);
  const slotOf = new Int32Array(subscribers).fill(nobody);
  const wasGivenUp = new Uint8Array(sockets * identifiers);
  const requests = new Array<Buffer | undefined>(subscribers);
  /** What had the identifier before: an answer to it may still be on its way. */
  const lastRequest = new Array<Buffer | undefined>(sockets * identifiers);
  const sent = new Uint8Array(subscribers);
  // What was used last comes last, so that a late answer meets no new request for long.
  const free = Array.from({ length: sockets }, () => Array.from({ length: identifiers }, (_, index) => index));
  const counts: ExchangeCounts = {
    requests: 0,
    repeated: 0,
    answered: 0,
    refused: 0,
    givenUp: 0,
    late: 0,
    again: 0,
    bad: 0,
  };
  const wheel = createWheel(subscribers, tickMs, (user, nowMs) => {
    if ((sent[user] ?? 0) < tries) {
      counts.repeated++;
      return transmit(user, nowMs);
    }
    counts.givenUp++;
    release(user, true);
    options.onGivenUp(user, nowMs);
  });

  function transmit(user: number, nowMs: number): void {
    const request = requests[user];
    if (!request) throw new Error(`subscriber ${user} has no request`);
    sent[user] = (sent[user] ?? 0) + 1;
    wheel.set(user, nowMs + timeoutMs);
    options.send(user % sockets, request);
  }

  function release(user: number, givenUp: boolean): void {
    const slot = slotOf[user] ?? nobody;
    userOf[slot] = nobody;
    wasGivenUp[slot] = givenUp ? 1 : 0;
    lastRequest[slot] = requests[user];
    slotOf[user] = nobody;
    requests[user] = undefined;
    wheel.cancel(user);
    free[Math.floor(slot / identifiers)]?.push(slot % identifiers);
  }

  return {
    counts,
    outstanding: () => counts.requests - counts.answered - counts.givenUp,
    begin(user, make, nowMs) {
      const socket = user % sockets;
      const identifier = free[socket]?.shift();
      if (identifier === undefined) return options.onCrowded(user, nowMs);
      const slot = socket * identifiers + identifier;
      userOf[slot] = user;
      slotOf[user] = slot;
      sent[user] = 0;
      requests[user] = make(identifier);
      counts.requests++;
      transmit(user, nowMs);
    },
    onReply(socket, reply, nowMs) {
      const slot = socket * identifiers + (reply[1] ?? 0);
      const user = userOf[slot] ?? nobody;
      const request = user === nobody ? undefined : requests[user];
      if (!request || !isGenuine(reply, request, 0, secret)) {
        const last = lastRequest[slot];
        if (!last || !isGenuine(reply, last, 0, secret)) counts.bad++;
        else counts[wasGivenUp[slot] === 1 ? 'late' : 'again']++;
        return;
      }
      counts.answered++;
      if (!isAgreement(reply, request, 0)) counts.refused++;
      release(user, false);
      options.onAnswered(user, reply, nowMs);
    },
    advance: wheel.advance,
  };
}

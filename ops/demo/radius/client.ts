// The RADIUS client of one socket of an access server: identifiers, retransmission of the same bytes, only authentic answers (RFC 5080 §2.2.1).
import type { Random } from '../random.ts';
import { type Attribute, type Decoded, encodeRequest, type RequestCode, readReply } from './packets.ts';

export type Exchange = {
  readonly code: RequestCode;
  readonly attributes: readonly Attribute[];
  /** Times it is sent before it is given up; absent: until it is answered or the client forgets. */
  readonly transmissions?: number;
  /** It is on the wire, for the first time or again. */
  sent?(nowMs: number): void;
  answered(reply: Decoded, nowMs: number): void;
  givenUp(): void;
};

export type ClientCounts = {
  requests: number;
  retransmissions: number;
  answers: number;
  /** Datagrams that answer nothing or are not authentic; the repeated answer to a doubled request is one. */
  strays: number;
};

export type RadiusClient = {
  request(exchange: Exchange): void;
  /** Sends again what has waited long enough. To be called every few dozen milliseconds. */
  tick(nowMs: number): void;
  receive(datagram: Buffer, nowMs: number): void;
  /** Requests without an answer, waiting ones included. */
  outstanding(): number;
  /** Since when the oldest request waits for its answer; null when none does. */
  waitingSinceMs(): number | null;
  /** Gives up everything. */
  forget(): void;
};

export type RadiusClientDeps = {
  readonly secret: string;
  readonly random: Random;
  readonly counts: ClientCounts;
  nowMs(): number;
  /** Calls back when it leaves: the weather may lose or delay it before. */
  send(datagram: Buffer, left: () => void): void;
  /** From the only transmission to its answer; of a request sent twice nobody knows which one was answered. */
  responseMs(code: RequestCode, durationMs: number): void;
};

type Open = {
  readonly exchange: Exchange;
  readonly packet: Buffer;
  readonly firstSentMs: number;
  transmissions: number;
  timeoutMs: number;
  dueMs: number;
};

const firstTimeoutMs = 1500;
const longestTimeoutMs = 6000;

export function createRadiusClient(deps: RadiusClientDeps): RadiusClient {
  const { secret, random, counts } = deps;
  const open = new Map<number, Open>();
  // The oldest first, so that an identifier rests before it is used again.
  const free = Array.from({ length: 256 }, (_, identifier) => identifier);
  const waiting: Exchange[] = [];
  const jitter = (ms: number) => ms * (0.9 + 0.2 * random());

  function transmit(entry: Open, nowMs: number): void {
    entry.transmissions++;
    entry.dueMs = nowMs + entry.timeoutMs;
    entry.timeoutMs = jitter(Math.min(longestTimeoutMs, entry.timeoutMs * 2));
    if (entry.transmissions > 1) counts.retransmissions++;
    deps.send(entry.packet, () => entry.exchange.sent?.(deps.nowMs()));
  }

  function begin(exchange: Exchange, identifier: number): void {
    const nowMs = deps.nowMs();
    const packet = encodeRequest(exchange.code, identifier, exchange.attributes, secret);
    const timeoutMs = jitter(firstTimeoutMs);
    const entry = { exchange, packet, firstSentMs: nowMs, transmissions: 0, timeoutMs, dueMs: 0 };
    open.set(identifier, entry);
    counts.requests++;
    transmit(entry, nowMs);
  }

  function close(identifier: number): void {
    open.delete(identifier);
    free.push(identifier);
    const next = waiting.shift();
    const rested = next && free.shift();
    if (next && rested !== undefined) begin(next, rested);
  }

  return {
    request(exchange) {
      const identifier = free.shift();
      if (identifier === undefined) waiting.push(exchange);
      else begin(exchange, identifier);
    },
    tick(nowMs) {
      for (const [identifier, entry] of [...open]) {
        if (nowMs < entry.dueMs) continue;
        if (entry.transmissions < (entry.exchange.transmissions ?? Number.POSITIVE_INFINITY)) transmit(entry, nowMs);
        else {
          close(identifier);
          entry.exchange.givenUp();
        }
      }
    },
    receive(datagram, nowMs) {
      const identifier = datagram[1] ?? -1;
      const entry = open.get(identifier);
      const reply = entry && readReply(datagram, entry.packet, secret);
      if (!entry || !reply) {
        counts.strays++;
        return;
      }
      close(identifier);
      counts.answers++;
      if (entry.transmissions === 1) deps.responseMs(entry.exchange.code, nowMs - entry.firstSentMs);
      entry.exchange.answered(reply, nowMs);
    },
    outstanding: () => open.size + waiting.length,
    waitingSinceMs() {
      const since = Math.min(...[...open.values()].map(({ firstSentMs }) => firstSentMs));
      return Number.isFinite(since) ? since : null;
    },
    forget() {
      const forgotten = [...open.values()].map(({ exchange }) => exchange).concat(waiting.splice(0));
      free.push(...open.keys());
      open.clear();
      for (const exchange of forgotten) exchange.givenUp();
    },
  };
}

// One port of a home server as this worker sees it: what was asked and not answered, whose replies count, whether it is alive.
import type { Demand } from '../subscribers/records.ts';
import type { HomeServerRecord } from '../subscribers/records-of-proxy.ts';
import { authenticatorOffset, verifyResponse } from '../wire/authenticators.ts';
import type { Secret } from '../wire/md5.ts';
import { verifyMessageAuthenticator } from '../wire/message-authenticator.ts';
import { code, decodePacket, type Packet } from '../wire/packet.ts';
import { createHealth, type HealthTimings, type ServerState } from './health.ts';
import type { HomePortMetrics } from './metrics.ts';
import { statusServer } from './requests.ts';
import { createHomeSockets, type Slot } from './sockets.ts';

export const homePortKinds = ['auth', 'acct'] as const;
export type HomePortKind = (typeof homePortKinds)[number];

export type Answered = {
  /** A reply that is provably the answer; its memory is its own. `request`: what was sent. */
  reply(packet: Packet, request: Buffer): void;
  /** It did not answer, as often as it was asked. */
  silent(): void;
};

export type Exchange = {
  /** Sends the same octets again, to the same server (RFC 5080 §2.2.1). */
  again(): void;
  /** Nobody waits for the answer any more. */
  cancel(): void;
};

export type HomePort = {
  readonly server: HomeServerRecord;
  readonly secret: Secret;
  state(): ServerState;
  outstanding(): number;
  /** `make`: the request with that identifier, null when it does not fit. `full`: as many as allowed wait for an answer. */
  ask(make: (identifier: number) => Buffer | null, answered: Answered): Exchange | 'full' | 'too_long';
  close(): void;
};

export type HomePortOptions = {
  readonly server: HomeServerRecord;
  readonly kind: HomePortKind;
  readonly secret: Secret;
  readonly timings: HealthTimings;
  readonly metrics: HomePortMetrics;
  monotonicMs(): number;
  onState(state: ServerState): void;
  onError(error: Error): void;
};

type Waiting = {
  readonly codes: ReadonlySet<number>;
  request: Buffer;
  settle(packet: Packet): void;
};

const replyCodes = {
  auth: new Set<number>([code.accessAccept, code.accessReject, code.accessChallenge]),
  acct: new Set<number>([code.accountingResponse]),
};
const statusCodes = { auth: new Set<number>([code.accessAccept]), acct: replyCodes.acct };
const nothing = Buffer.alloc(0);

export function createHomePort(options: HomePortOptions): HomePort {
  const { server, kind, secret, timings, metrics, monotonicMs } = options;
  const port = kind === 'auth' ? server.authPort : server.acctPort;
  const demand: Demand = server.messageAuthenticator;
  /** A reply came with one: from then on `auto` demands it (CVE-2024-3596). */
  let signs = false;
  /** Gives up what waits for an answer. */
  const waitingNow = new Set<() => void>();

  const sockets = createHomeSockets<Waiting>({
    address: server.address,
    port,
    limit: server.maxOutstanding,
    onForeign: () => metrics.refused('foreign_source'),
    onError: options.onError,
    onReply(data, waiting) {
      if (!waiting) return metrics.refused('unexpected');
      const packet = decodePacket(data);
      const reason = packet.ok ? whyNot(packet, waiting) : 'malformed';
      if (reason) return metrics.refused(reason);
      if (!packet.ok) return;
      health.heard();
      waiting.settle(packet);
    },
  });

  /** Why a datagram is not the answer; it may have been made by anybody. */
  function whyNot(packet: Packet, { request, codes }: Waiting): string | null {
    if (!codes.has(packet.code)) return 'unexpected_code';
    if (!verifyResponse(packet, request, authenticatorOffset, secret)) return 'bad_authenticator';
    if (packet.messageAuthenticatorAt < 0) {
      const demanded = demand === 'yes' || (demand === 'auto' && signs) || packet.hasEap;
      return kind === 'auth' && demanded ? 'message_authenticator_missing' : null;
    }
    if (!verifyMessageAuthenticator(packet, secret, request, authenticatorOffset)) return 'bad_message_authenticator';
    signs = true;
    return null;
  }

  const health = createHealth({
    check: server.healthCheck,
    timings,
    monotonicMs,
    after(ms, callback) {
      const timer = setTimeout(callback, Math.max(0, ms));
      return () => clearTimeout(timer);
    },
    probe(done) {
      const asked = converse((identifier) => statusServer(identifier, secret), statusCodes[kind], 1, {
        reply: () => done(true),
        silent: () => done(false),
      });
      metrics.asked('status');
      if (typeof asked === 'string') done(false);
    },
    onState: options.onState,
  });

  function converse(
    make: (identifier: number) => Buffer | null,
    codes: ReadonlySet<number>,
    attempts: number,
    answered: Answered,
  ): Exchange | 'full' | 'too_long' {
    let timer: NodeJS.Timeout | undefined;
    const waiting: Waiting = {
      codes,
      request: nothing,
      settle(packet) {
        end();
        answered.reply(packet, waiting.request);
      },
    };
    const slot: Slot | null = sockets.take(waiting);
    if (!slot) return 'full';
    const request = make(slot.identifier);
    if (!request) {
      slot.release();
      return 'too_long';
    }
    waiting.request = request;
    function end(): void {
      clearTimeout(timer);
      slot?.release();
      waitingNow.delete(abort);
    }
    function abort(): void {
      end();
      answered.silent();
    }
    waitingNow.add(abort);
    const sentAtMs = monotonicMs();
    const transmit = (count: number) => {
      slot.send(request);
      timer = setTimeout(() => {
        if (count < attempts) return transmit(count + 1);
        health.silent(sentAtMs);
        abort();
      }, server.responseWindowMs);
    };
    transmit(1);
    return { again: () => slot.send(request), cancel: end };
  }

  return {
    server,
    secret,
    state: health.state,
    outstanding: sockets.taken,
    ask(make, answered) {
      const startedMs = monotonicMs();
      const asked = converse(make, replyCodes[kind], server.attempts, {
        reply(packet, request) {
          metrics.answered(packet.code, (monotonicMs() - startedMs) / 1000);
          answered.reply(packet, request);
        },
        silent() {
          metrics.unanswered();
          answered.silent();
        },
      });
      if (typeof asked !== 'string') metrics.asked(kind === 'auth' ? 'access' : 'accounting');
      return asked;
    },
    close() {
      health.stop();
      sockets.close();
      for (const abort of [...waitingNow]) abort();
    },
  };
}

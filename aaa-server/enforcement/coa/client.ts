// Sends CoA-Request and Disconnect-Request to access servers and waits for the answer (RFC 5176; retransmission RFC 5080 §2.2.1).
import { isIPv6, SocketAddress } from 'node:net';
import type { RadsecLinks } from '#aaa-server/radsec/links.ts';
import type { Secret } from '#aaa-server/wire/md5.ts';
import { causeLabel } from '#policy/enforcement/nak.ts';
import type { NasAttribute } from '#policy/nas/profile.ts';
import type { EnforcementMetrics } from '../metrics.ts';
import type { Timer } from '../timer.ts';
import { converseOverRadsec } from './over-radsec.ts';
import { createPacer } from './pacer.ts';
import { buildRequest, type CoaKind, readReply } from './packet.ts';
import { nextTimeoutMs, retransmission } from './retransmit.ts';
import { createSocketPool, type Slot } from './sockets.ts';

export type CoaRequest = {
  readonly kind: CoaKind;
  /** Whom the rate limit counts: the NAS instance. */
  readonly nas: string;
  readonly address: string;
  readonly port: number;
  readonly ratePerS: number;
  /** The current secret. A NAS that already has the next one drops what we send until the rotation is finished here. */
  readonly secret: Secret;
  readonly attributes: readonly NasAttribute[];
  /** Id of the access server that is told over its RadSec connections, not at its address. */
  readonly overRadsec?: number;
  /** Goes before what is not, when many wait for the same access server. */
  readonly urgent?: boolean;
  /** Asked when its turn has come: false withdraws it. */
  readonly wanted?: () => boolean;
  /** Asked before each repetition: true gives the request up as unanswered. */
  readonly silenced?: () => boolean;
};

const unsentReasons = [
  'queue_full',
  'no_identifier',
  'too_long',
  'socket',
  /** It has no RadSec connection now. */
  'nas_unreachable',
  'aborted',
  'withdrawn',
] as const;

export type CoaAnswer =
  | { readonly kind: 'ack' }
  | { readonly kind: 'nak'; readonly errorCause: number | null }
  | { readonly kind: 'timeout' }
  /** Not sent, or given up because the ownership or the process ended. */
  | {
      readonly kind: 'unsent';
      readonly reason: (typeof unsentReasons)[number];
    };

export type CoaClient = {
  send(request: CoaRequest, signal: AbortSignal): Promise<CoaAnswer>;
  stop(): void;
};

export type CoaClientOptions = {
  /** Source address; empty: by route. */
  source: string;
  timer: Timer;
  random: () => number;
  metrics: EnforcementMetrics;
  /** Without them nobody can be told over RadSec. */
  links?: Pick<RadsecLinks, 'acquire'> | undefined;
  queueLimit?: number;
  socketLimit?: number;
};

export function createCoaClient(options: CoaClientOptions): CoaClient {
  const { timer, metrics, random, links, queueLimit = 10_000, socketLimit = 64 } = options;
  const pacer = createPacer({ timer, queueLimit });
  const sockets = createSocketPool({
    source: options.source,
    socketLimit,
    onError: () => metrics.coaDropped.inc({ reason: 'socket_error' }),
    onStray: () => metrics.coaDropped.inc({ reason: 'late_or_unknown' }),
  });
  const show = () => {
    metrics.coaOutstanding.set(sockets.outstanding());
    metrics.coaWaiting.set(pacer.waiting());
  };

  async function exchange(request: CoaRequest, signal: AbortSignal): Promise<CoaAnswer> {
    if (!(await pacer.turn(request.nas, request.ratePerS, signal, request.urgent))) {
      return { kind: 'unsent', reason: signal.aborted ? 'aborted' : 'queue_full' };
    }
    try {
      if (request.wanted && !request.wanted()) return { kind: 'unsent', reason: 'withdrawn' };
      if (request.overRadsec === undefined) return await converse(request, signal);
      if (!links) return { kind: 'unsent', reason: 'nas_unreachable' };
      return await converseOverRadsec({ links, timer, metrics }, request, request.overRadsec, signal);
    } finally {
      pacer.done(request.nas);
    }
  }

  function converse(request: CoaRequest, signal: AbortSignal): Promise<CoaAnswer> {
    const from = sameAddress(request.address);
    return new Promise((resolve) => {
      let settled = false;
      let slot: Slot | null = null;
      let packet: Buffer | null = null;
      let cancelTimer = () => {};
      const settle = (answer: CoaAnswer) => {
        if (settled) return;
        settled = true;
        cancelTimer();
        signal.removeEventListener('abort', onAbort);
        slot?.release();
        show();
        resolve(answer);
      };
      const onAbort = () => settle({ kind: 'unsent', reason: 'aborted' });
      signal.addEventListener('abort', onAbort);

      const begin = (taken: Slot | null) => {
        if (!taken) return settle({ kind: 'unsent', reason: 'no_identifier' });
        slot = taken;
        if (settled) return taken.release();
        const bytes = buildRequest(request, taken.identifier, timer.nowMs());
        if (!bytes) return settle({ kind: 'unsent', reason: 'too_long' });
        packet = bytes;
        const startedMs = timer.monotonicMs();
        const transmit = (count: number, previousMs: number | null) => {
          if (count > 1 && request.silenced?.()) return settle({ kind: 'timeout' });
          taken.send(bytes, request.port, request.address);
          metrics.coaTransmissions.inc();
          const leftMs = retransmission.totalMs - (timer.monotonicMs() - startedMs);
          const timeoutMs = nextTimeoutMs(previousMs, random);
          const last = count === retransmission.transmissions || timeoutMs >= leftMs;
          cancelTimer = timer.after(Math.min(timeoutMs, leftMs), () =>
            last ? settle({ kind: 'timeout' }) : transmit(count + 1, timeoutMs),
          );
        };
        transmit(1, null);
        show();
      };
      const family = isIPv6(request.address) ? 6 : 4;
      sockets
        .acquire(family, (reply) => {
          if (!packet) return;
          if (reply.port !== request.port || !from(reply.address)) {
            metrics.coaDropped.inc({ reason: 'other_source' });
            return;
          }
          const answer = readReply(reply.data, packet, request.secret);
          if (answer.ok) settle(answer.reply);
          else metrics.coaDropped.inc({ reason: answer.reason });
        })
        .then(begin, () => settle({ kind: 'unsent', reason: 'socket' }));
    });
  }

  return {
    async send(request, signal) {
      const startedMs = timer.monotonicMs();
      const answer = await exchange(request, signal);
      metrics.coaRequests.inc({ kind: request.kind, result: resultOf(answer) });
      if (answer.kind === 'ack' || answer.kind === 'nak') {
        metrics.coaRoundTrip.observe((timer.monotonicMs() - startedMs) / 1000);
      }
      return answer;
    },
    stop() {
      pacer.stop();
      sockets.close();
    },
  };
}

function resultOf(answer: CoaAnswer): string {
  switch (answer.kind) {
    case 'nak':
      return `nak_${causeLabel(answer.errorCause)}`;
    case 'unsent':
      return answer.reason;
    default:
      return answer.kind;
  }
}

/** Compares the source of a datagram with an address in any spelling. */
function sameAddress(address: string): (other: string) => boolean {
  const normal = (text: string) =>
    new SocketAddress({ address: text.replace(/%.*$/, ''), family: isIPv6(text) ? 'ipv6' : 'ipv4' }).address;
  const expected = normal(address);
  return (other) => other === address || normal(other) === expected;
}

// A CoA or Disconnect request over the RadSec connections of its access server (reverse CoA): asked once each, for TCP repeats by itself.
import type { LinkAnswer, RadsecLinks } from '#aaa-server/radsec/links.ts';
import type { EnforcementMetrics } from '../metrics.ts';
import type { Timer } from '../timer.ts';
import type { CoaAnswer, CoaRequest } from './client.ts';
import { buildRequest, readReply } from './packet.ts';

export type OverRadsecDeps = { links: Pick<RadsecLinks, 'acquire'>; timer: Timer; metrics: EnforcementMetrics };

/** No request is asked on more connections than this, nor waits longer on one; together less than a minute. */
const mostConnections = 3;
const answerMs = 15_000;
/** Answers that prove that the peer does not know what was asked: nothing on that connection can be believed (RFC 6613 §2.6.4). */
const harmless: ReadonlySet<string> = new Set(['other_code', 'other_identifier']);

type Heard = CoaAnswer | 'closed' | 'silent';

/** @param nasId the access server; a connection that ends or stays silent is followed by another one of it. */
export async function converseOverRadsec(
  deps: OverRadsecDeps,
  request: CoaRequest,
  nasId: number,
  signal: AbortSignal,
): Promise<CoaAnswer> {
  const tried = new Set<object>();
  while (tried.size < mostConnections) {
    const heard = await askOnce(deps, request, nasId, tried, signal);
    if (heard === null) break;
    if (heard !== 'closed' && heard !== 'silent') return heard;
  }
  // It may have been done on a connection that ended before it said so.
  return tried.size > 0 ? { kind: 'timeout' } : { kind: 'unsent', reason: 'nas_unreachable' };
}

/** Null when there is no connection but those that were tried. */
function askOnce(
  { links, timer, metrics }: OverRadsecDeps,
  request: CoaRequest,
  nasId: number,
  tried: Set<object>,
  signal: AbortSignal,
): Promise<Heard | null> {
  if (signal.aborted) return Promise.resolve({ kind: 'unsent', reason: 'aborted' });
  return new Promise((resolve) => {
    let packet: Buffer | undefined;
    let cancelTimer = () => {};
    const settle = (heard: Heard) => {
      cancelTimer();
      signal.removeEventListener('abort', onAbort);
      slot?.release();
      resolve(heard);
    };
    const onAbort = () => settle({ kind: 'unsent', reason: 'aborted' });
    const onAnswer = (answer: LinkAnswer) => {
      if (answer.kind === 'closed') return settle('closed');
      if (!packet) return;
      const read = readReply(answer.data, packet, request.secret);
      if (read.ok) return settle(read.reply);
      metrics.coaDropped.inc({ reason: read.reason });
      if (!harmless.has(read.reason)) slot?.distrust();
    };
    const slot = links.acquire(nasId, tried, onAnswer);
    if (!slot) return resolve(null);
    tried.add(slot.link);
    packet = buildRequest(request, slot.identifier, timer.nowMs());
    if (!packet) return settle({ kind: 'unsent', reason: 'too_long' });
    signal.addEventListener('abort', onAbort);
    cancelTimer = timer.after(answerMs, () => settle('silent'));
    slot.send(packet);
    metrics.coaTransmissions.inc();
  });
}

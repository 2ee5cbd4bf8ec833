// Reads the usage of a subscription over time from the history, in steps of the tenant's zone.
import type { Static } from 'typebox';
import { partitionOf } from '#policy/ledger/keys.ts';
import { longestSeriesMs, type SeriesStep, seriesEdges } from '#policy/series.ts';
import type { Deps } from '../deps.ts';
import { instantOf } from '../fields.ts';
import { fromLedger } from '../plugins/ledger-failure.ts';
import { Problem } from '../problem.ts';
import type { UsageQuery, UsageReply } from './contract.ts';

export type SeriesRange = { readonly step: SeriesStep; readonly fromMs: number; readonly toMs: number };

type Series = Pick<Static<typeof UsageReply>, 'series' | 'complete_until'>;

/** Undefined when no series is asked for. */
export function rangeOf({ from, to, step }: UsageQuery, nowMs: number): SeriesRange | undefined {
  if (from === undefined && to === undefined && step === undefined) return undefined;
  if (from === undefined || step === undefined)
    throw wrong(from === undefined ? 'from' : 'step', 'is needed for a series');
  const fromMs = instantOf(from, '/from', 'query').getTime();
  const toMs = to === undefined ? Math.max(nowMs, fromMs + 1) : instantOf(to, '/to', 'query').getTime();
  if (toMs <= fromMs) throw wrong('to', 'must be after from');
  if (toMs - fromMs > longestSeriesMs[step]) {
    const days = longestSeriesMs[step] / 86_400_000;
    throw new Problem('series_too_long', `a series by ${step} spans at most ${days} days`);
  }
  return { step, fromMs, toMs };
}

export async function seriesOf(
  { ledger, history, clock }: Pick<Deps, 'ledger' | 'history' | 'clock'>,
  who: { readonly tenantId: number; readonly subscriptionId: number },
  { step, fromMs, toMs }: SeriesRange,
  zone: string,
): Promise<Series> {
  const { tenantId, subscriptionId } = who;
  const edgesMs = seriesEdges(step, fromMs, toMs, zone);
  const boundEdgesMs = step === 'day' ? edgesMs : seriesEdges('day', fromMs, toMs, zone);
  // Asked first: what is in ClickHouse by then is in the sums too.
  const partition = partitionOf(tenantId, subscriptionId);
  const completeMs = await fromLedger(() => ledger.historyCompleteUntil(partition, clock.nowMs()));
  const sums = await history.windowSums({ tenantId, subscriptionIds: [subscriptionId], edgesMs, boundEdgesMs });
  const found = new Map(sums.map((sum) => [sum.fromMs, sum]));
  const series = edgesMs.slice(0, -1).map((edgeMs) => {
    const { upBytes, downBytes } = found.get(edgeMs) ?? { upBytes: 0, downBytes: 0 };
    const counted = { up_bytes: upBytes, down_bytes: downBytes, total_bytes: upBytes + downBytes };
    return { from: new Date(edgeMs).toISOString(), ...counted };
  });
  return { series, complete_until: new Date(completeMs).toISOString() };
}

function wrong(name: string, message: string): Problem {
  return new Problem('validation_failed', `query/${name} ${message}`, [{ in: 'query', path: `/${name}`, message }]);
}

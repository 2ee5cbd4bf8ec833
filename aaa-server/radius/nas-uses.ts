// Publishes what each access server sent in the last minutes: by which of its secrets, and with or without proof of who sends.
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import { createRepeated } from '#ops/runtime/repeated.ts';
import { type NasUse, publishNasUses } from '#ops/stores/nas-edge.ts';
import type { RedisClient } from '#ops/stores/redis.ts';
import type { NasActivity } from './nas-activity.ts';

const counts = ['current', 'next', 'proven', 'unproven'] as const;
type Counts = Pick<NasActivity, (typeof counts)[number]>;
type Sample = { readonly atMs: number; readonly counts: ReadonlyMap<number, Counts> };

const nothing: Counts = { current: 0, next: 0, proven: 0, unproven: 0 };
const sampleMs = 60_000;
const samplesKept = 15;

/** Of totals that only grow, what came since the oldest of the last 15 samples, one a minute. */
export function createLately(startedAtMs: number): (totals: readonly NasActivity[], nowMs: number) => NasUse[] {
  let samples: Sample[] = [{ atMs: startedAtMs, counts: new Map() }];
  return (totals, nowMs) => {
    const base = samples[0] ?? { atMs: startedAtMs, counts: new Map<number, Counts>() };
    const uses = totals.map((total) => {
      const before = base.counts.get(total.nasId) ?? nothing;
      // Less than before: its secrets changed, and with them what is counted.
      const began = counts.some((name) => total[name] < before[name]) ? nothing : before;
      const since = Object.fromEntries(counts.map((name) => [name, total[name] - began[name]]));
      const { nasId, lastHeardAtMs: heardAtMs } = total;
      return { nasId, heardAtMs, sinceMs: base.atMs, ...(since as Record<(typeof counts)[number], number>) };
    });
    const newest = samples.at(-1);
    if (!newest || nowMs - newest.atMs >= sampleMs) {
      const taken = new Map(
        totals.map(({ nasId, current, next, proven, unproven }) => [nasId, { current, next, proven, unproven }]),
      );
      samples = [...samples, { atMs: nowMs, counts: taken }].slice(-samplesKept);
    }
    return uses;
  };
}

export type NasUsesOptions = {
  redis(): RedisClient | undefined;
  readonly node: string;
  /** Totals since the workers started. */
  activities(): Promise<readonly NasActivity[]>;
  nowMs(): number;
  readonly log: Logger;
  readonly everyMs?: number;
};

export type NasUses = Part & {
  /** Whether its last request was made with its next secret: then it is spoken to with that one. */
  usesNext(nasId: number): boolean;
};

export function createNasUses({ redis, node, activities, nowMs, log, everyMs = 5000 }: NasUsesOptions): NasUses {
  const lately = createLately(nowMs());
  const problem = 'what access servers send cannot be published';
  let onNext: ReadonlySet<number> = new Set();
  const published = createRepeated({ name: 'uses of access servers', everyMs, log, problem }, async () => {
    const now = nowMs();
    const totals = await activities();
    onNext = new Set(totals.flatMap(({ nasId, currentAtMs, nextAtMs }) => (nextAtMs > currentAtMs ? [nasId] : [])));
    const client = redis();
    if (client) await publishNasUses(client, node, lately(totals, now), now);
  });
  return { ...published, usesNext: (nasId) => onNext.has(nasId) };
}

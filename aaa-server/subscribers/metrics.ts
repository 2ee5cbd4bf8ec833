// Metrics of the subscriber snapshot.
import { Counter, Gauge, type Registry } from '#ops/runtime/metrics.ts';
import type { GuardHold } from './guard.ts';
import { countedKinds, type Tally } from './snapshot.ts';

export type SubscriberMetrics = ReturnType<typeof createSubscriberMetrics>;

/** What is looked up when the metrics are asked for. */
export type Observed = {
  tallies(): Iterable<Tally>;
  holds(): readonly GuardHold[];
  feedAgeMs(): number;
  mirrorAgeMs(): number;
};

export function createSubscriberMetrics(registry: Registry, observed: Observed) {
  const registers = [registry];
  new Gauge({
    name: 'lastmile_snapshot_records',
    help: 'Records of the subscriber snapshot, by kind',
    labelNames: ['kind'],
    registers,
    collect() {
      const tallies = [...observed.tallies()];
      for (const kind of countedKinds) this.set({ kind }, sum(tallies.map((tally) => tally[kind])));
    },
  });
  new Gauge({
    name: 'lastmile_snapshot_held',
    help: 'Records that the guard keeps although the source has lost them, by kind; above 0 an operator must look',
    labelNames: ['kind'],
    registers,
    collect() {
      const holds = observed.holds();
      for (const kind of ['removals', 'reload'] as const) {
        this.set({ kind }, sum(holds.filter((hold) => hold.kind === kind).map(({ count }) => count)));
      }
    },
  });
  new Gauge({
    name: 'lastmile_feed_age_seconds',
    help: 'Time since the last proof that the change feed works',
    registers,
    collect() {
      this.set(observed.feedAgeMs() / 1000);
    },
  });
  new Gauge({
    name: 'lastmile_profile_mirror_age_seconds',
    help: 'Time since the mirror of decided profiles was known to be complete',
    registers,
    collect() {
      this.set(observed.mirrorAgeMs() / 1000);
    },
  });
  return {
    applied: new Counter({
      name: 'lastmile_feed_applied_total',
      help: 'Records that the change feed changed in the snapshot, by kind',
      labelNames: ['kind'],
      registers,
    }),
    unreadable: new Counter({
      name: 'lastmile_feed_unreadable_total',
      help: 'Rows of the source that could not be taken over; the record stays as it was',
      registers,
    }),
    lastCopyS: new Gauge({
      name: 'lastmile_snapshot_last_copy_seconds',
      help: 'Wall-clock time of the last full copy of the source',
      registers,
    }),
    copyDurationS: new Gauge({
      name: 'lastmile_snapshot_copy_duration_seconds',
      help: 'How long the last full copy of the source took',
      registers,
    }),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

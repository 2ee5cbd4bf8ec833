// Which partitions this node owns, and the work it has claimed from them. Ownership ends here before it ends in Redis.
import type { Claim, ClaimOptions, EnforcementLedger, Lease } from '#policy/ledger/enforcement.ts';
import type { EnforcementMetrics } from './metrics.ts';
import type { Timer } from './timer.ts';

export type Owned = {
  readonly lease: Lease;
  /** Aborts when the ownership is lost: what is under way must not go on. */
  readonly signal: AbortSignal;
};

export type ClaimedWork = { readonly owned: Owned; readonly claim: Claim };

type Most = Pick<ClaimOptions, 'crossings' | 'count'>;

export type Partitions = {
  /** Renews what is owned, takes what is free and returns the work; a partition of another node gives nothing. `most`, `again`: as of the ledger's claim. */
  claim(partitions: readonly number[], most: Most, again: boolean): Promise<ClaimedWork[]>;
  owned(partition: number): Owned | undefined;
  all(): Owned[];
  /** Gives up what was not renewed in time. */
  expire(): void;
  release(): Promise<void>;
};

export type PartitionOptions = {
  ledger: EnforcementLedger;
  timer: Timer;
  metrics: EnforcementMetrics;
  leaseMs: number;
  visibilityMs: number;
};

type Entry = Owned & { readonly controller: AbortController; expiresMs: number };

export function createPartitions(options: PartitionOptions): Partitions {
  const { ledger, timer, metrics, leaseMs, visibilityMs } = options;
  const entries = new Map<number, Entry>();

  function lose(partition: number): void {
    entries.get(partition)?.controller.abort();
    entries.delete(partition);
    metrics.partitions.set(entries.size);
  }

  async function claimOne(partition: number, most: Most, again: boolean): Promise<ClaimedWork | null> {
    const askedMs = timer.monotonicMs();
    const held = entries.get(partition);
    const claim = await ledger.claim(partition, held?.lease.token ?? '', {
      leaseMs,
      ...most,
      visibilityMs,
      again,
      nowMs: timer.nowMs(),
    });
    if (!claim) {
      lose(partition);
      return null;
    }
    let entry = entries.get(partition);
    if (entry?.lease.token !== claim.lease.token) {
      lose(partition);
      const controller = new AbortController();
      entry = { lease: claim.lease, signal: controller.signal, controller, expiresMs: 0 };
      entries.set(partition, entry);
      metrics.partitions.set(entries.size);
    }
    // A fifth of the lease is the margin for a slow clock and a slow event loop.
    entry.expiresMs = Math.max(entry.expiresMs, askedMs + leaseMs * 0.8);
    return { owned: entry, claim };
  }

  return {
    async claim(partitions, most, again) {
      const claimed = await Promise.allSettled(partitions.map((partition) => claimOne(partition, most, again)));
      const failed = claimed.filter((result) => result.status === 'rejected');
      if (failed.length > 0) metrics.failures.inc({ step: 'claim' }, failed.length);
      if (failed.length === partitions.length && failed[0]) throw failed[0].reason;
      return claimed.flatMap((result) => (result.status === 'fulfilled' && result.value ? [result.value] : []));
    },
    owned: (partition) => entries.get(partition),
    all: () => [...entries.values()],
    expire() {
      const nowMs = timer.monotonicMs();
      for (const [partition, entry] of entries) if (nowMs >= entry.expiresMs) lose(partition);
    },
    async release() {
      const leases = [...entries.values()].map(({ lease }) => lease);
      for (const { partition } of leases) lose(partition);
      await Promise.allSettled(leases.map((lease) => ledger.release(lease)));
    },
  };
}

// Enforcement of this node: claims work, evaluates it, sweeps, and answers nudges and changes (ARCHITECTURE §Enforcement).
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import { type EnforcementLedger, memberOf, type Subscriber } from '#policy/ledger/enforcement.ts';
import { partitionOf } from '#policy/ledger/keys.ts';
import { partitionCount } from '#policy/ledger/types.ts';
import type { Failures } from './failures.ts';
import { type Item, itemsOf } from './items.ts';
import type { ClaimedWork, Owned, Partitions } from './partitions.ts';
import type { Reconciler, Work } from './reconciler.ts';
import type { Sweep } from './sweep.ts';
import type { Timer } from './timer.ts';

/** A record of the snapshot that changed; `reload`: any may have (tenant and id are 0). */
export type SnapshotChange = {
  readonly kind: 'tenant' | 'plan' | 'subscription' | 'nas' | 'reload';
  readonly tenantId: number;
  readonly id: number;
};

export type EnforcementLoop = Part & {
  /** These partitions have new work; called by what applies accounting records. */
  nudge(partitions: Iterable<number>): void;
  /** A record of the snapshot changed. */
  changed(change: SnapshotChange): void;
};

export type EnforcementLoopOptions = {
  ledger: EnforcementLedger;
  partitions: Partitions;
  reconciler: Reconciler;
  sweep: Sweep;
  /** False until the snapshot may be trusted: nothing is claimed before. */
  ready(): boolean;
  planOf(who: Subscriber): number | undefined;
  timer: Timer;
  random: () => number;
  failed: Failures;
  log: Logger;
  tickMs: number;
  sweepMs: number;
};

/** Of a partition at once: of all of them no more than is under way at most. */
const claimCount = 32;
const mostUnderWay = 2000;
/** Changes of the snapshot are gathered this long, so that the brake judges a transaction as one. */
const quietMs = 200;
const longestGatherMs = 1000;
const wide = ['tenant', 'plan', 'nas', 'reload'];

export function createEnforcementLoop(options: EnforcementLoopOptions): EnforcementLoop {
  const { ledger, partitions, reconciler, timer, log } = options;
  const everyPartition = Array.from({ length: partitionCount }, (_, partition) => partition);
  const nudged = new Set<number>();
  const changedSubscribers = new Map<string, Subscriber>();
  const freshPartitions = new Set<number>();
  let scopes: SnapshotChange[] = [];
  let nudging = false;
  let gatherSince: number | null = null;
  /** Crossings are claimed and counted for themselves: subscribers use more than they should meanwhile. */
  const underWay = { crossings: 0, others: 0 };
  /** Partitions from which nothing was taken for want of room. */
  const waiting = new Set<number>();
  let stopped = true;
  let away = false;
  let sweepDueMs = 0;
  const cancels = new Map<string, () => void>();
  const jobs = new Set<Promise<void>>();

  /** Runs a job whose failure is counted and logged once until it works again. */
  function start(step: string, job: () => Promise<void>): Promise<void> {
    const running = job()
      .then(() => {
        if (away && step === 'claim') log.info('enforcement goes on');
        if (step === 'claim') away = false;
      })
      .catch((error) => {
        options.failed(step, error, 'enforcement pauses');
        if (step === 'claim') away = true;
      });
    jobs.add(running);
    return running.finally(() => jobs.delete(running));
  }

  function after(name: string, delayMs: number, action: () => void): void {
    cancels.get(name)?.();
    if (stopped) return;
    cancels.set(
      name,
      timer.after(delayMs, () => {
        cancels.delete(name);
        action();
      }),
    );
  }

  async function claim(which: readonly number[], again: boolean): Promise<void> {
    const room = (kind: keyof typeof underWay) => (options.ready() && underWay[kind] < mostUnderWay ? claimCount : 0);
    const most = { crossings: room('crossings'), count: room('others') };
    if (Math.min(most.crossings, most.count) === 0) for (const partition of which) waiting.add(partition);
    const claimed = await partitions.claim(which, most, again);
    for (const { owned, claim } of claimed) if (claim.fresh) freshPartitions.add(owned.lease.partition);
    const items = claimed.flatMap(itemsOf);
    const isCrossing = ({ crossedAtMs }: Item) => crossedAtMs !== undefined;
    void start('evaluate', () => workOff('crossings', items.filter(isCrossing)));
    void start('evaluate', () =>
      workOff(
        'others',
        items.filter((item) => !isCrossing(item)),
      ),
    );
    const isFull = ({ claim: { entries, due } }: ClaimedWork) => Math.max(entries.length, due.length) >= claimCount;
    const full = claimed.filter(isFull);
    if (full.length > 0) nudge(full.map(({ owned }) => owned.lease.partition));
  }

  async function workOff(kind: keyof typeof underWay, items: readonly Item[]): Promise<void> {
    if (items.length === 0) return;
    underWay[kind] += items.length;
    try {
      const again = new Set<Work>((await reconciler.evaluate(items)).failed);
      const finished = Map.groupBy(
        items.filter((item) => !again.has(item)),
        ({ owned }) => owned.lease,
      );
      for (const [lease, own] of finished)
        await ledger.done(
          lease,
          own.flatMap(({ entries }) => entries),
        );
    } finally {
      underWay[kind] -= items.length;
      const more = [...waiting];
      waiting.clear();
      nudge(more);
    }
  }

  async function evaluateChanged(cause: 'changed' | 'released', who: readonly Subscriber[]): Promise<void> {
    const works = who.flatMap((subscriber): Work[] => {
      const owned = ownerOf(subscriber);
      return owned ? [{ who: subscriber, owned, cause }] : [];
    });
    const { failed } = await reconciler.evaluate(works);
    for (const work of failed) changedSubscribers.set(memberOf(work.who), work.who);
  }

  const ownerOf = (who: Subscriber): Owned | undefined =>
    partitions.owned(partitionOf(who.tenantId, who.subscriptionId));

  async function tick(): Promise<void> {
    await start('claim', () => claim(everyPartition, true));
    if (!away && options.ready()) {
      await start('brake', async () => {
        const released = await reconciler.watchBrakes();
        if (released.length > 0) void start('evaluate', () => evaluateChanged('released', released));
      });
      if (gatherSince === null && changedSubscribers.size > 0) flush();
    }
    after('tick', options.tickMs, () => void tick());
  }

  function flush(): void {
    gatherSince = null;
    if (away || !options.ready()) return;
    const who = [...changedSubscribers.values()];
    changedSubscribers.clear();
    void start('evaluate', () => evaluateChanged('changed', who));
  }

  /** One pass after the other: partitions just taken over, changes that concern many, and the regular one. */
  async function sweepLoop(): Promise<void> {
    const pass = (which: readonly Owned[], overMs: number, concerns?: (who: Subscriber) => boolean) =>
      start('sweep', () =>
        options.sweep.pass(which, {
          concerns,
          // What an operator changed does not wait for a pass that takes its time.
          pause: (chunks) => (overMs === 0 || scopes.length > 0 ? Promise.resolve() : pause('pace', overMs / chunks)),
          stopped: () => stopped,
        }),
      );
    while (!stopped) {
      if (!away && options.ready()) {
        const owned = partitions.all();
        const fresh = owned.filter(({ lease }) => freshPartitions.has(lease.partition));
        const hurried = fresh.length > 0 || scopes.length > 0;
        if (timer.monotonicMs() >= sweepDueMs) {
          sweepDueMs = timer.monotonicMs() + options.sweepMs;
          freshPartitions.clear();
          scopes = [];
          // A pass over what was just taken over, or changed for many, does not dawdle.
          await pass(owned, hurried ? 0 : options.sweepMs / 2);
        } else if (fresh.length > 0) {
          freshPartitions.clear();
          await pass(fresh, 0);
        } else if (scopes.length > 0) {
          const concerned = scopes;
          scopes = [];
          await pass(owned, 0, (who) => concerned.some((scope) => concerns(scope, who)));
        }
      }
      await pause('sweep', options.tickMs);
    }
  }

  function concerns(scope: SnapshotChange, who: Subscriber): boolean {
    if (scope.kind === 'reload') return true;
    return scope.tenantId === who.tenantId && (scope.kind !== 'plan' || options.planOf(who) === scope.id);
  }

  function pause(name: string, delayMs: number): Promise<void> {
    if (stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = timer.after(delayMs, resolve);
      cancels.set(name, () => {
        cancel();
        resolve();
      });
    });
  }

  function nudge(which: Iterable<number>): void {
    if (stopped) return;
    for (const partition of which) if (partitions.owned(partition)) nudged.add(partition);
    if (nudging || nudged.size === 0) return;
    nudging = true;
    void start('claim', async () => {
      try {
        while (nudged.size > 0 && !stopped) {
          const now = [...nudged];
          nudged.clear();
          await claim(now, false);
        }
      } finally {
        nudging = false;
      }
    });
  }

  function expireLoop(): void {
    partitions.expire();
    after('expire', options.tickMs, expireLoop);
  }

  return {
    name: 'enforcement',
    stopTimeoutMs: 10_000,
    nudge,
    changed(change) {
      if (stopped) return;
      if (wide.includes(change.kind)) {
        scopes.push(change);
        return;
      }
      const who = { tenantId: change.tenantId, subscriptionId: change.id };
      changedSubscribers.set(memberOf(who), who);
      gatherSince ??= timer.monotonicMs();
      const leftMs = longestGatherMs - (timer.monotonicMs() - gatherSince);
      after('gather', Math.max(0, Math.min(quietMs, leftMs)), flush);
    },
    async start() {
      stopped = false;
      sweepDueMs = timer.monotonicMs();
      expireLoop();
      void tick();
      void start('sweep', sweepLoop);
    },
    async stop() {
      stopped = true;
      for (const cancel of cancels.values()) cancel();
      cancels.clear();
      await partitions.release();
      await Promise.allSettled(jobs);
    },
  };
}

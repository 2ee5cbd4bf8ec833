// Passes over the live sessions: mends what events missed, counts who is online, and carries out changes that concern many.
import { labelsOfNas, shownNases } from '#aaa-server/nas-labels.ts';
import type { NasRecord } from '#aaa-server/subscribers/records.ts';
import { outcomeKinds } from '#policy/access/outcome.ts';
import type { BrakeGate } from '#policy/ledger/brake-gate.ts';
import type { Subscriber } from '#policy/ledger/enforcement.ts';
import type { EnforcementMetrics } from './metrics.ts';
import type { Owned } from './partitions.ts';
import type { Reconciler, Work } from './reconciler.ts';
import { type SessionCounts, sumSessions } from './session-counts.ts';

export type Sweep = {
  /** One pass over the live subscribers of these partitions that `concerns` picks. */
  pass(partitions: readonly Owned[], options: PassOptions): Promise<void>;
};

export type PassOptions = {
  concerns?: ((who: Subscriber) => boolean) | undefined;
  /** Waits between two of so many chunks; resolves early when enforcement stops. */
  pause(chunks: number): Promise<void>;
  stopped(): boolean;
};

const chunk = 200;

export function createSweep(deps: {
  reconciler: Reconciler;
  gate: BrakeGate;
  liveSubscribers(partition: number): Promise<Subscriber[]>;
  ownedPartitions(): ReadonlySet<number>;
  nases(): readonly NasRecord[];
  metrics: EnforcementMetrics;
}): Sweep {
  const { reconciler, gate, metrics } = deps;
  /** Tenant → partition → subscribers online. */
  const online = new Map<number, Map<number, number>>();
  /** The sessions of every partition counted here. */
  const sessions = new Map<Owned, SessionCounts>();

  async function count(partition: number, live: readonly Subscriber[]): Promise<void> {
    const counts = new Map<number, number>([...online.keys()].map((tenantId) => [tenantId, 0]));
    for (const { tenantId } of live) counts.set(tenantId, (counts.get(tenantId) ?? 0) + 1);
    for (const [tenantId, present] of counts) {
      const known = online.get(tenantId) ?? new Map<number, number>();
      online.set(tenantId, known.set(partition, present));
      await gate.countOnline(tenantId, partition, present);
    }
  }

  function show(owned: ReadonlySet<number>): void {
    for (const counted of sessions.keys()) if (counted.signal.aborted) sessions.delete(counted);
    showSessions(sumSessions([...sessions.values()]));
    for (const [tenantId, partitions] of online) {
      for (const partition of partitions.keys()) if (!owned.has(partition)) partitions.delete(partition);
      const sum = [...partitions.values()].reduce((total, present) => total + present, 0);
      metrics.online.set({ tenant: String(tenantId) }, sum);
    }
  }

  function showSessions({ silent, byNas, byOutcome }: SessionCounts): void {
    metrics.silent.set(silent);
    metrics.nasSessions.reset();
    for (const nas of shownNases(deps.nases())) metrics.nasSessions.set(labelsOfNas(nas), byNas.get(nas.id) ?? 0);
    for (const outcome of outcomeKinds) metrics.outcomes.set({ outcome }, byOutcome.get(outcome) ?? 0);
  }

  return {
    async pass(partitions, { concerns, pause, stopped }) {
      const lives = new Map<Owned, Subscriber[]>();
      for (const owned of partitions) {
        if (stopped() || owned.signal.aborted) continue;
        const live = await deps.liveSubscribers(owned.lease.partition);
        await count(owned.lease.partition, live);
        lives.set(owned, concerns ? live.filter(concerns) : live);
      }
      const chunks = [...lives.values()].reduce((sum, live) => sum + Math.ceil(live.length / chunk), 0);
      // Whatever makes subscribers stricter is collected first, so that the brake judges the whole pass at once.
      const postponed: Work[] = [];
      for (const [owned, live] of lives) {
        const counted: SessionCounts[] = [];
        for (let from = 0; from < live.length; from += chunk) {
          if (stopped() || owned.signal.aborted) break;
          const works = live.slice(from, from + chunk).map((who): Work => ({ who, owned, cause: 'sweep' }));
          const evaluated = await reconciler.evaluate(works, { postpone: true });
          for (const work of evaluated.postponed) postponed.push(work);
          counted.push(evaluated.sessions);
          await pause(chunks);
        }
        if (!concerns) sessions.set(owned, sumSessions(counted));
      }
      show(deps.ownedPartitions());
      if (!stopped()) await reconciler.evaluate(postponed);
    },
  };
}

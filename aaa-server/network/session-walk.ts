// Looks at the sessions themselves, whatever the streams told: some in turn, all of them before a new range is leased from.
import type { Cluster, Redis } from 'ioredis';
import type { Clock } from '#ops/runtime/clock.ts';
import type { AddressEvent } from '#policy/ledger/addresses.ts';
import { keys } from '#policy/ledger/keys.ts';
import { type LivePlace, readLivePage } from '#policy/ledger/live.ts';
import type { PoolLedger } from '#policy/ledger/pools.ts';
import { readSessions } from '#policy/ledger/sessions.ts';
import { type LiveSession, partitionCount } from '#policy/ledger/types.ts';
import { isNewRange, type Pool } from '#policy/network/pool.ts';

export type SessionWalk = {
  /** Some of the sessions that report, in turn: one whose unit is free, whyever, has it again. */
  on(nowMs: number): Promise<void>;
  /** New ranges may lie over addresses that sessions have from elsewhere: all are looked at, then it may be leased from them. */
  openNewRanges(pools: readonly Pool[]): Promise<void>;
};

export type SessionWalkOptions = {
  readonly redis: Redis | Cluster;
  readonly ledger: Pick<PoolLedger, 'unseen' | 'seen'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  take(events: readonly AddressEvent[]): Promise<void>;
  readStreams(claim: boolean): Promise<void>;
  isStopping(): boolean;
};

/** A session that said nothing for so long is over, whatever the ledger keeps of it: longer than an access server is ever cut off. */
export const staleMs = 12 * 3_600_000;
const walkAtOnce = 1000;
const allPartitions = Array.from({ length: partitionCount }, (_, partition) => partition);

export function createSessionWalk(options: SessionWalkOptions): SessionWalk {
  const { redis, ledger, clock, take, readStreams, isStopping } = options;
  let next: { partition: number; place: LivePlace | undefined } = { partition: 0, place: undefined };

  /** @returns how many sessions it had, and where the next page begins */
  async function takePage(partition: number, place: LivePlace | undefined, nowMs: number) {
    const page = await readLivePage(redis, partition, place);
    const sessions = await readSessions(
      redis,
      partition,
      page.members.map(({ key }) => key),
    );
    await take(sessions.filter(({ lastEventAtMs }) => nowMs - lastEventAtMs <= staleMs).map(asOpened));
    return { sessions: page.members.length, next: page.next };
  }

  async function takeAll(partition: number, nowMs: number): Promise<void> {
    let place: LivePlace | undefined;
    do place = (await takePage(partition, place, nowMs)).next;
    while (place && !isStopping());
  }

  return {
    async on(nowMs) {
      for (let pages = 0, sessions = 0; pages < partitionCount && sessions < walkAtOnce && !isStopping(); pages++) {
        const { partition } = next;
        const page = await takePage(partition, next.place, nowMs);
        sessions += page.sessions;
        next = page.next
          ? { partition, place: page.next }
          : { partition: (partition + 1) % partitionCount, place: undefined };
      }
    },
    async openNewRanges(pools) {
      const nowMs = clock.nowMs();
      const unseen: [Pool, number[]][] = [];
      for (const pool of pools) {
        const young = pool.ranges.filter((range) => isNewRange(range, nowMs)).map(({ id }) => id);
        const ids = await ledger.unseen(pool.id, young);
        if (ids.length > 0) unseen.push([pool, ids]);
      }
      if (unseen.length === 0) return;
      await Promise.all(allPartitions.map((partition) => takeAll(partition, nowMs)));
      // Those that opened meanwhile.
      await readStreams(false);
      if (isStopping()) return;
      for (const [pool, ids] of unseen) await ledger.seen(pool.id, ids);
    },
  };
}

/** What the stream would tell of it, as of when it was heard of last. */
function asOpened(session: LiveSession): AddressEvent {
  const { partition, tenantId, nasInstance, sessionId, lastEventAtMs } = session;
  const sessionKey = keys.session(partition, tenantId, nasInstance, sessionId);
  return { ...session, sessionKey, fromMs: lastEventAtMs, toMs: null };
}

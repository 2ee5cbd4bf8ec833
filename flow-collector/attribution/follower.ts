// Follows every `address:{pNN}` stream of the ledger from its own positions, so that flows find their subscribers without Redis.
import type { Cluster, Redis } from 'ioredis';
import { type Clock, systemClock } from '#ops/runtime/clock.ts';
import { messageOf } from '#ops/runtime/errors.ts';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import { type AddressEvent, addressesEnd, liveAddresses, readAddresses } from '#policy/ledger/addresses.ts';
import { partitionCount } from '#policy/ledger/types.ts';
import type { AddressInterval } from './address-index.ts';
import type { AddressStore } from './address-store.ts';
import { historyMs } from './keeper.ts';

export type FollowerOptions = {
  redis: Redis | Cluster;
  /** Closed when the follower stops. */
  store: AddressStore;
  log: Logger;
  /** Intervals that are on disk, for the workers. */
  onChange(intervals: readonly AddressInterval[]): void;
  clock?: Clock;
  readEveryMs?: number;
};

export type Follower = Part & {
  /** Why sessions are not followed at present; null while they are. */
  trouble(): string | null;
};

const entriesPerRead = 1000;
const expireEveryMs = 600_000;
const allPartitions: readonly number[] = Array.from({ length: partitionCount }, (_, partition) => partition);

export function createFollower(options: FollowerOptions): Follower {
  const { redis, store, log, onChange, clock = systemClock, readEveryMs = 250 } = options;
  let trouble: string | null = 'the addresses of sessions were not read yet';
  let expiredAtMs = clock.monotonicMs();
  let stopping = false;
  let running: Promise<void> | undefined;
  let wake = () => {};

  async function take(partition: number, events: readonly AddressEvent[], position: string): Promise<void> {
    if (events.length === 0 && position === store.position(partition)) return;
    const changed = await store.take(partition, events, position);
    if (changed.length > 0) onChange(changed);
  }

  /** @returns whether the stream was read to its end. */
  async function readPartition(partition: number): Promise<boolean> {
    const position = store.position(partition);
    const read = position === '' ? undefined : await readAddresses(redis, partition, position, entriesPerRead);
    if (!read || read.gap) {
      await readAgain(partition);
      return false;
    }
    await take(partition, read.events, read.position);
    return read.atEnd;
  }

  /** What holds now, from the sessions themselves. Sessions that are open no more ended at an instant nobody can tell: they end now. */
  async function readAgain(partition: number): Promise<void> {
    const end = await addressesEnd(redis, partition);
    const before = store.position(partition);
    const live = new Set<string>();
    let sessions = 0;
    for await (const page of liveAddresses(redis, partition)) {
      for (const event of page) live.add(nameOf(event));
      sessions += page.length;
      await take(partition, page, before);
      if (stopping) return;
    }
    const nowMs = clock.nowMs();
    const gone = store.open(partition).filter((event) => !live.has(nameOf(event)));
    await take(
      partition,
      gone.map((event) => ({ ...event, toMs: Math.max(event.fromMs, nowMs) })),
      end,
    );
    if (sessions > 0 || gone.length > 0) log.info({ partition, sessions, ended: gone.length }, 'addresses read again');
  }

  async function run(): Promise<void> {
    while (!stopping) {
      let more = false;
      try {
        const ends = await Promise.all(allPartitions.map(readPartition));
        more = ends.includes(false);
        if (!more) trouble = null;
        if (clock.monotonicMs() - expiredAtMs >= expireEveryMs) {
          await store.expire(clock.nowMs() - historyMs);
          expiredAtMs = clock.monotonicMs();
        }
      } catch (error) {
        if (stopping) return;
        if (trouble === null) log.warn({ err: error }, 'addresses of sessions cannot be read, those known stay');
        trouble = `addresses of sessions: ${messageOf(error)}`;
      }
      if (!more) await pause();
    }
  }

  async function pause(): Promise<void> {
    if (stopping) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, readEveryMs);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  return {
    name: 'addresses of sessions',
    trouble: () => trouble,
    async start() {
      running ??= run();
    },
    async stop() {
      stopping = true;
      wake();
      await running;
      await store.close();
    },
  };
}

function nameOf({ sessionKey, incarnation }: AddressEvent): string {
  return `${sessionKey}\n${incarnation}`;
}

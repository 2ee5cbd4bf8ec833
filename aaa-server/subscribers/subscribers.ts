// The subscriber snapshot of a node, put together: store, change feed, guard and the mirror of decided profiles.
import type { ReadyCheck } from '#ops/runtime/admin.ts';
import { type Clock, systemClock } from '#ops/runtime/clock.ts';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import type { Registry } from '#ops/runtime/metrics.ts';
import type { RedisLink } from '#ops/stores/redis-link.ts';
import type { Changes } from './changes.ts';
import { createFeed, type Feed } from './feed.ts';
import { createGuard, type Guard } from './guard.ts';
import { metaKeys, readNumber } from './meta.ts';
import { createSubscriberMetrics } from './metrics.ts';
import { createMirror, type Mirror } from './mirror.ts';
import { openSnapshotReader } from './reader.ts';
import type { SnapshotReader } from './records.ts';
import type { FeedKind } from './rows.ts';
import { openStore, type Store } from './store.ts';

/** Something is different in LMDB and there to stay; `reload`: anything may be (tenant and key are 0 then). */
export type SnapshotChange = {
  readonly kind: FeedKind | 'reload';
  readonly tenantId: number;
  readonly key: number;
};

export type SubscribersConfig = {
  /** Folder of the LMDB files; worker threads open the same. */
  path: string;
  feedDatabaseUrl: string;
  /** Where changes are marked for the threads that keep what they read: of the snapshot, and of decided profiles. */
  changes?: { readonly snapshot: Changes; readonly profiles: Changes };
};

export type SubscribersDeps = {
  /** Without Redis everything but the mirror works. */
  redis: Pick<RedisLink, 'onConnected'>;
  log: Logger;
  registry: Registry;
  clock?: Clock;
};

export type Subscribers = Part & {
  /** The main thread's own reader; before the start it finds nothing. */
  reader: SnapshotReader;
  guard: Guard;
  /** Called after the changes are durable in LMDB. */
  onChange(listener: (changes: readonly SnapshotChange[]) => void): void;
  /** A profile was decided here: the mirror reads that partition at once. */
  poke(partition: number): void;
  /** Whether logins can be answered at all, and whether the change feed and the mirror have their stores. */
  ready: readonly ReadyCheck[];
};

type Running = { store: Store; feed: Feed; guard: Guard; mirror?: Mirror };

export function createSubscribers(config: SubscribersConfig, deps: SubscribersDeps): Subscribers {
  const { redis, log, clock = systemClock } = deps;
  const listeners: ((changes: readonly SnapshotChange[]) => void)[] = [];
  const reader = openSnapshotReader({ path: config.path, follow: false });
  let running: Running | undefined;

  const metrics = createSubscriberMetrics(deps.registry, {
    tallies: () => running?.store.current()?.tallies().values() ?? [],
    holds: () => running?.guard.list() ?? [],
    feedAgeMs: () => clock.nowMs() - reader.feedAliveAtMs(),
    mirrorAgeMs: () => clock.nowMs() - reader.mirrorState().inStepAtMs,
  });
  const tell = (changes: readonly SnapshotChange[]) => {
    for (const listener of listeners) listener(changes);
  };

  function open(): Running {
    const store = openStore(config.path, config.changes?.snapshot);
    config.changes?.profiles.markAll(readNumber(store.node, metaKeys.profileGeneration));
    const feed = createFeed({
      databaseUrl: config.feedDatabaseUrl,
      store,
      clock,
      log,
      events: {
        changed(keys) {
          for (const { kind } of keys) metrics.applied.inc({ kind });
          tell(keys.map(({ kind, tenantId, id }) => ({ kind, tenantId, key: id })));
        },
        reloaded(tookMs, reason) {
          metrics.lastCopyS.set(clock.nowMs() / 1000);
          metrics.copyDurationS.set(tookMs / 1000);
          reader.follow();
          log.info({ reason, tookMs: Math.round(tookMs) }, 'full copy of the subscribers done');
          tell([{ kind: 'reload', tenantId: 0, key: 0 }]);
        },
        heldBack(tenants) {
          const holds = running?.guard.list().filter(({ tenantId }) => tenants.includes(tenantId));
          log.error(
            { holds },
            'alarm: many records vanished at once; they are kept until an operator confirms the count',
          );
        },
        reloadHeld(losses) {
          log.error(
            { losses },
            'alarm: a full copy has far fewer records; the old one stays until an operator confirms',
          );
        },
        unreadable({ of, record, problem }) {
          metrics.unreadable.inc();
          log.error({ kind: of, ...record, problem }, 'a row of the source cannot be read; its record stays as it was');
        },
      },
    });
    return { store, feed, guard: createGuard(store, feed) };
  }

  function mirrorOnceConnected(to: Running): void {
    const { store } = to;
    const tenants = () => {
      const snapshot = store.current();
      return snapshot?.complete() ? snapshot.tallies().keys() : null;
    };
    redis.onConnected((client) => {
      if (running !== to) return;
      const changes = config.changes?.profiles;
      to.mirror = createMirror({
        redis: client,
        node: store.node,
        tenants,
        clock,
        log,
        ...(changes ? { changes } : {}),
      });
      to.mirror.start();
    });
  }

  return {
    name: 'subscribers',
    async start() {
      if (running) return;
      running = open();
      reader.follow();
      running.feed.start();
      mirrorOnceConnected(running);
    },
    async stop() {
      const stopping = running;
      if (!stopping) return;
      running = undefined;
      await Promise.all([stopping.feed.stop(), stopping.mirror?.stop()]);
      await reader.close();
      await stopping.store.close();
    },
    reader,
    guard: {
      list: () => running?.guard.list() ?? [],
      confirm: async (tenantId, count) =>
        (await running?.guard.confirm(tenantId, count)) ?? { ok: false, reason: 'unknown' },
    },
    onChange: (listener) => {
      listeners.push(listener);
    },
    poke: (partition) => running?.mirror?.poke(partition),
    ready: [
      {
        name: 'subscribers',
        check: () => (reader.complete() ? null : 'no complete copy of the subscribers yet: logins go unanswered'),
      },
      { name: 'change feed', check: () => (running ? running.feed.trouble() : 'not started') },
      {
        name: 'profile mirror',
        check: () => (running?.mirror ? running.mirror.trouble() : 'Redis has not answered yet'),
      },
    ],
  };
}

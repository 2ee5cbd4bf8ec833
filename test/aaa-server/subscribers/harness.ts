// The subscriber snapshot on the stores of a test, and readers that watch it from outside.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { createSubscribers, type SnapshotChange, type Subscribers } from '#aaa-server/subscribers/subscribers.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import { until } from '#test/support/wait.ts';

type Teardown = { teardown(handler: () => unknown): unknown };

export type Harness = {
  readonly path: string;
  readonly registry: Registry;
  readonly changes: SnapshotChange[];
  subscribers: Subscribers;
  /** Starts and waits for the first complete copy. */
  ready(): Promise<void>;
};

export function temporaryFolder(t: Teardown): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-subscribers-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Without a Redis URL the mirror finds nobody, and nothing else minds. */
export function createHarness(t: Teardown, feedUrl: string, folder: string, redisUrl?: string): Harness {
  const redis = new Redis(redisUrl ?? 'redis://127.0.0.1:1', {
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: redisUrl !== undefined,
    retryStrategy: () => 100,
  });
  redis.on('error', () => {});
  const registry = new Registry();
  const subscribers = createSubscribers(
    { path: folder, feedDatabaseUrl: feedUrl },
    {
      redis: { onConnected: (listener) => listener(redis) },
      log: createLogger('test', process.env.LOG_LEVEL ?? 'silent'),
      registry,
    },
  );
  const changes: SnapshotChange[] = [];
  subscribers.onChange((list) => changes.push(...list));
  t.teardown(async () => {
    await subscribers.stop();
    redis.disconnect();
  });
  return {
    path: folder,
    registry,
    changes,
    subscribers,
    async ready() {
      await subscribers.start();
      await until(() => subscribers.reader.complete(), 'the first copy is complete', 15_000);
    },
  };
}

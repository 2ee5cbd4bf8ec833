// ClickHouse beside the rest of `npm start`: nothing waits for it, and nothing but history misses it while it is away.
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '#ops/runtime/errors.ts';
import { ClickHouseAway, migrateClickHouse } from '../stores/clickhouse/migrate.ts';
import { retentionOf } from '../stores/clickhouse/ttl.ts';
import type { DataFolder } from '../stores/data-folder.ts';
import { ClickHouseMissing, requireClickHouseProgram } from '../stores/embedded/clickhouse/program.ts';
import { createEmbeddedClickHouse } from '../stores/embedded/clickhouse.ts';
import type { Settings } from './settings.ts';
import type { Supervised } from './supervise.ts';

export type ClickHouseSideOptions = {
  settings: Settings;
  folder: DataFolder;
  say(line: string): void;
  /** Starts and supervises; rejects when the first start fails. */
  keep(supervised: Supervised): Promise<void>;
  /** Ends the attempts. */
  signal: AbortSignal;
  retryMs?: number;
  requireProgram?: () => unknown;
};

/** @returns its URL at once, before it serves; '' when this machine has none. The work goes on behind. */
export async function startClickHouse(options: ClickHouseSideOptions): Promise<string> {
  const { settings, folder, say, signal, requireProgram = requireClickHouseProgram } = options;
  const behind = (work: Promise<void>) =>
    void work.catch((error: unknown) => {
      if (!signal.aborted) say(`${messageOf(error)}; history is kept on disk until this is mended`);
    });
  if (settings.CLICKHOUSE_URL !== '') {
    behind(prepareTables(settings.CLICKHOUSE_URL, options));
    return settings.CLICKHOUSE_URL;
  }
  try {
    requireProgram();
  } catch (error) {
    if (!(error instanceof ClickHouseMissing)) throw error;
    say(`${error.message}; everything else runs without`);
    return '';
  }
  const store = createEmbeddedClickHouse({
    folder,
    port: settings.EMBEDDED_CLICKHOUSE_PORT,
    memoryMb: settings.EMBEDDED_CLICKHOUSE_MEMORY_MB,
    say,
  });
  const url = await store.prepare();
  behind(serve(store, url, options));
  return url;
}

async function serve(store: Supervised, url: string, options: ClickHouseSideOptions): Promise<void> {
  const { keep, say, signal, retryMs = 30_000 } = options;
  const from = performance.now();
  for (;;) {
    try {
      await keep(store);
      break;
    } catch (error) {
      signal.throwIfAborted();
      say(`${messageOf(error)}; trying again in ${retryMs / 1000} s, everything else runs without`);
      await delay(retryMs, undefined, { signal });
    }
  }
  const seconds = ((performance.now() - from) / 1000).toFixed(1);
  say(`${store.name} serves on port ${new URL(url).port} (${seconds} s)`);
  await prepareTables(url, options);
}

async function prepareTables(url: string, options: ClickHouseSideOptions): Promise<void> {
  const { settings, say, signal, retryMs = 5000 } = options;
  let told = '';
  for (;;) {
    try {
      const deployment = { cluster: settings.CLICKHOUSE_CLUSTER };
      const done = await migrateClickHouse({ url, deployment, retention: retentionOf(settings) });
      if (done.length > 0) say(`ClickHouse brought up to date: ${done.join(', ')}`);
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ClickHouseAway)) throw error;
      if (error.message !== told) say(`${error.message}; trying again every ${retryMs / 1000} s`);
      told = error.message;
      await delay(retryMs, undefined, { signal });
    }
  }
}

// Keeps the change feed short: rows that every reader has long followed are removed; a reader that slept longer copies anew.
import { sql } from 'drizzle-orm';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import type { Db } from './connect.ts';

const keptDays = 7;

export function createFeedPruning(db: Db, log: Logger, intervalMs = 3_600_000): Part {
  let timer: NodeJS.Timeout | undefined;

  async function prune(): Promise<void> {
    try {
      await db.execute(sql`SELECT feed_prune(make_interval(days => ${keptDays}))`);
    } catch (error) {
      log.warn({ err: error }, 'the change feed could not be pruned, it is tried again');
    }
  }

  return {
    name: 'feed pruning',
    async start() {
      timer ??= setInterval(prune, intervalMs);
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
    },
  };
}

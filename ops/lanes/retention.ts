// Deletes segments of a WAL that every lane has passed and that are old enough not to be needed by a ledger restored from a copy.
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import type { Wal } from '../wal/wal.ts';
import type { Applier } from './applier.ts';

export type RetentionOptions = {
  wal: Pick<Wal, 'id' | 'prune'>;
  applier: Pick<Applier, 'passed'>;
  log: Logger;
  intervalMs?: number;
};

export function createRetention({ wal, applier, log, intervalMs = 60_000 }: RetentionOptions): Part {
  let timer: NodeJS.Timeout | undefined;
  let pruning = Promise.resolve();

  async function prune(): Promise<void> {
    try {
      const removed = await wal.prune(applier.passed());
      if (removed > 0) log.info({ wal: wal.id, segments: removed }, 'removed old segments of the log');
    } catch (error) {
      log.warn({ wal: wal.id, err: error }, 'old segments of the log could not be removed');
    }
  }

  return {
    name: `retention of ${wal.id}`,
    async start() {
      timer ??= setInterval(() => {
        pruning = pruning.then(prune);
      }, intervalMs);
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      await pruning;
    },
  };
}

// Applies the WALs of workers that no longer exist, and of nodes whose folder was copied here: every WAL found at start is applied.
import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Part } from '#ops/runtime/lifecycle.ts';
import { WalInUse } from '../wal/wal.ts';
import { type LedgerLog, type LedgerLogOptions, openLedgerLog } from './ledger-log.ts';
import type { LaneRecord } from './work.ts';

export type OrphansOptions<R extends LaneRecord> = Omit<LedgerLogOptions<R>, 'folder' | 'work'> & {
  /** Each log has its own: what it remembers of the ledger is forgotten by itself. */
  work(): LedgerLogOptions<R>['work'];
  /** The folder of all WALs. */
  root: string;
  /** Names of the WALs that running workers have. */
  workers: ReadonlySet<string>;
};

export type Orphans = Part & {
  /** Names of the adopted WALs. */
  adopted(): string[];
  /** All of them are in the ledger. */
  idle(): boolean;
};

export function createOrphans<R extends LaneRecord>(options: OrphansOptions<R>): Orphans {
  const { root, workers, log } = options;
  const adopted = new Map<string, LedgerLog>();

  async function adopt(name: string): Promise<void> {
    try {
      const adoptedLog = await openLedgerLog({ ...options, work: options.work(), folder: path.join(root, name) });
      adopted.set(name, adoptedLog);
      await adoptedLog.start();
      log.info({ wal: name }, 'applying the log of a worker that is no longer there');
    } catch (error) {
      if (!(error instanceof WalInUse)) throw error;
      log.info({ wal: name }, 'a log without a worker here is in use by another process');
    }
  }

  return {
    name: 'adopted logs',
    adopted: () => [...adopted.keys()],
    idle: () => [...adopted.values()].every(({ applier }) => applier.idle()),
    async start() {
      await mkdir(root, { recursive: true, mode: 0o700 });
      const folders = (await readdir(root, { withFileTypes: true })).filter((entry) => entry.isDirectory());
      for (const { name } of folders) if (!workers.has(name) && !adopted.has(name)) await adopt(name);
    },
    async stop() {
      await Promise.all([...adopted.values()].map((adoptedLog) => adoptedLog.stop()));
      adopted.clear();
    },
  };
}

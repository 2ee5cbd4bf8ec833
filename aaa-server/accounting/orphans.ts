// Applies the WALs of workers that no longer exist, and of nodes whose folder was copied here: every WAL found at start is applied.
import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Part } from '#ops/runtime/lifecycle.ts';
import { type Accounting, type AccountingOptions, openAccounting } from './accounting.ts';
import { WalInUse } from './wal/wal.ts';

export type OrphansOptions = Omit<AccountingOptions, 'folder'> & {
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

export function createOrphans(options: OrphansOptions): Orphans {
  const { root, workers, log } = options;
  const adopted = new Map<string, Accounting>();

  async function adopt(name: string): Promise<void> {
    try {
      const accounting = await openAccounting({ ...options, folder: path.join(root, name) });
      adopted.set(name, accounting);
      await accounting.start();
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
      await Promise.all([...adopted.values()].map((accounting) => accounting.stop()));
      adopted.clear();
    },
  };
}

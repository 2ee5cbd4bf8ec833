// The accounting of one worker: keeps records in its own WAL, answers when they are on disk, applies them to the ledger.
import path from 'node:path';
import { codeOf } from '#ops/runtime/errors.ts';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { AccountingRecord } from '#policy/ledger/types.ts';
import { type Applier, type ApplierOptions, createApplier } from './applier.ts';
import { encodeRecord } from './record.ts';
import { createRetention } from './retention.ts';
import { openWal, type WalOptions } from './wal/wal.ts';

export type AccountingOptions = Omit<ApplierOptions, 'wal'> & Omit<WalOptions, 'folder'> & { folder: string };

export type Accounting = Part & {
  /** Resolves when the record is on disk: the Accounting-Response leaves then. Rejects when it was not kept: no answer, the NAS repeats it. */
  append(record: AccountingRecord): Promise<void>;
  applier: Pick<Applier, 'passed' | 'idle'>;
};

/** Folder of the WAL of a worker (0, 1, …) of the node with this uuid. */
export function walFolder(dataFolder: string, nodeUuid: string, worker: number): string {
  return path.join(walRoot(dataFolder), `${nodeUuid}-${worker}`);
}

export function walRoot(dataFolder: string): string {
  return path.join(dataFolder, 'wal');
}

/**
 * Opens the WAL, so that records can be kept at once; applying begins with `start`.
 * @throws {WalInUse} while another thread or process has it open.
 */
export async function openAccounting(options: AccountingOptions): Promise<Accounting> {
  const { metrics, log } = options;
  const wal = await openWal(options);
  if (wal.cutBytes > 0) {
    metrics.damaged.inc({ kind: 'torn_tail' });
    log.warn({ wal: wal.id, bytes: wal.cutBytes }, 'cut the torn tail of the log');
  }
  const applier = createApplier({ ...options, wal });
  const retention = createRetention({ wal, applier, log });

  return {
    name: `accounting ${wal.id}`,
    applier,
    async append(record) {
      const started = performance.now();
      try {
        await wal.append(encodeRecord(record));
      } catch (error) {
        metrics.refused.inc({ reason: codeOf(error) || 'other' });
        throw error;
      }
      metrics.appended.inc();
      metrics.commit.observe((performance.now() - started) / 1000);
    },
    async start() {
      await applier.start();
      await retention.start();
    },
    async stop() {
      await retention.stop();
      await applier.stop();
      await wal.close();
    },
  };
}

// A log whose records go to the ledger: a WAL, its applier and its retention, opened and closed together.
import path from 'node:path';
import { codeOf } from '#ops/runtime/errors.ts';
import type { Part } from '#ops/runtime/lifecycle.ts';
import { openWal, type WalOptions } from '../wal/wal.ts';
import { type Applier, type ApplierOptions, createApplier } from './applier.ts';
import { createRetention } from './retention.ts';
import type { LaneRecord } from './work.ts';

export type LedgerLogOptions<R extends LaneRecord> = Omit<ApplierOptions<R>, 'wal'> & WalOptions;

export type LedgerLog = Part & {
  /** Resolves when the record is on disk. Rejects when it was not kept. */
  append(payload: Buffer): Promise<void>;
  applier: Pick<Applier, 'passed' | 'idle'>;
};

/** Folder of the WAL of a worker (0, 1, …) of the node with this uuid. Its name is the WAL's id, by which the ledger knows it: no two may share one. */
export function walFolder(root: string, nodeUuid: string, worker: number): string {
  return path.join(root, `${nodeUuid}-${worker}`);
}

/**
 * Opens the WAL, so that records can be kept at once; applying begins with `start`.
 * @throws {WalInUse} while another thread or process has it open.
 */
export async function openLedgerLog<R extends LaneRecord>(options: LedgerLogOptions<R>): Promise<LedgerLog> {
  const { metrics, log } = options;
  const wal = await openWal(options);
  if (wal.cutBytes > 0) {
    metrics.damaged.inc({ kind: 'torn_tail' });
    log.warn({ wal: wal.id, bytes: wal.cutBytes }, 'cut the torn tail of the log');
  }
  const applier = createApplier({ ...options, wal });
  const retention = createRetention({ wal, applier, log });

  return {
    name: `log ${wal.id}`,
    applier,
    async append(payload) {
      const started = performance.now();
      try {
        await wal.append(payload);
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

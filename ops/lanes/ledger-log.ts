// A log whose records go to the ledger: a WAL, its applier and its retention, opened and closed together.
import path from 'node:path';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import { openWal, type Wal, type WalOptions } from '../wal/wal.ts';
import { type Append, createAppender } from './appender.ts';
import { type Applier, type ApplierOptions, createApplier } from './applier.ts';
import type { LogMetrics } from './metrics.ts';
import { createRetention } from './retention.ts';
import type { LaneRecord } from './work.ts';

export type LedgerLogOptions<R extends LaneRecord> = Omit<ApplierOptions<R>, 'wal'> & WalOptions;

export type LedgerLog = Part & {
  append: Append;
  applier: Pick<Applier, 'passed' | 'idle'>;
};

/** Folder of the WAL of a worker (0, 1, …) of the node with this uuid. Its name is the WAL's id, by which the ledger knows it: no two may share one. */
export function walFolder(root: string, nodeUuid: string, worker: number): string {
  return path.join(root, `${nodeUuid}-${worker}`);
}

/** Opens the WAL of a log. @throws {WalInUse} */
export async function openLog(
  options: WalOptions & { metrics: Pick<LogMetrics, 'damaged'>; log: Logger },
): Promise<Wal> {
  const wal = await openWal(options);
  if (wal.cutBytes > 0) {
    options.metrics.damaged.inc({ kind: 'torn_tail' });
    options.log.warn({ wal: wal.id, bytes: wal.cutBytes }, 'cut the torn tail of the log');
  }
  return wal;
}

/**
 * Opens the WAL, so that records can be kept at once; applying begins with `start`.
 * @throws {WalInUse} while another thread or process has it open.
 */
export async function openLedgerLog<R extends LaneRecord>(options: LedgerLogOptions<R>): Promise<LedgerLog> {
  const { metrics, log } = options;
  const wal = await openLog(options);
  const applier = createApplier({ ...options, wal });
  const retention = createRetention({ wal, applier, log });

  return {
    name: `log ${wal.id}`,
    applier,
    append: createAppender(wal, metrics),
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

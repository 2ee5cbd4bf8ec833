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
  /** Resolves when the record is on disk, rejects when it was not kept; the same promise for all that go to disk together. */
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

  /** Records that go to disk together have one promise: they are counted together too. */
  type Group = { readonly done: Promise<void> | null; records: number };
  let group: Group = { done: null, records: 0 };

  function follow(done: Promise<void>): Group {
    const started = performance.now();
    const followed: Group = { done, records: 0 };
    const close = () => {
      if (group === followed) group = { done: null, records: 0 };
    };
    done.then(
      () => {
        close();
        metrics.appended.inc(followed.records);
        metrics.commit.observe((performance.now() - started) / 1000);
      },
      (error) => {
        close();
        metrics.refused.inc({ reason: codeOf(error) || 'other' }, followed.records);
      },
    );
    return followed;
  }

  return {
    name: `log ${wal.id}`,
    applier,
    append(payload) {
      const done = wal.append(payload);
      if (done !== group.done) group = follow(done);
      group.records++;
      return done;
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

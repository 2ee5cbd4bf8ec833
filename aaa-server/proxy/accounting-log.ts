// The accounting that waits for one destination (the home servers of a realm, or those of a copy): a write-ahead log and what empties it.
import type { Part } from '#ops/runtime/lifecycle.ts';
import { openWal } from '#ops/wal/wal.ts';
import { deliver, type Target } from './deliver.ts';
import { createForwarder } from './forwarder.ts';
import type { ProxyMetrics } from './metrics.ts';

/** How long and how much waits for a server that is away; what is beyond is lost, and counted. */
export type Keeping = { readonly keepMs: number; readonly bytes: number };

export type AccountingLogOptions = {
  readonly folder: string;
  readonly keeping: Keeping;
  readonly mark: Buffer;
  target(): Target | undefined;
  readonly metrics: ReturnType<ProxyMetrics['ofDestination']>;
  nowMs(): number;
  problem(error: unknown): void;
};

export type AccountingLog = Part & {
  /** Resolves when the record (encodeWaiting) is on disk. Rejects when it was not kept: the access server repeats it. */
  append(record: Buffer): Promise<void>;
  backlogBytes(): number;
  /** Age of the oldest record that waits, 0 when none does. */
  lagMs(): number;
};

/** @throws {WalInUse} while another thread or process has it open. */
export async function openAccountingLog(options: AccountingLogOptions): Promise<AccountingLog> {
  const { folder, keeping, mark, target, metrics, nowMs, problem } = options;
  const wal = await openWal({ folder, segmentBytes: 16 * 1024 * 1024, retentionMs: 0 });
  let stopping = false;
  const sleeping = new Set<() => void>();

  function pause(ms: number): Promise<void> {
    if (stopping) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        sleeping.delete(end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      sleeping.add(end);
    });
  }
  const backlogBytes = () =>
    forwarder.idle() ? 0 : Math.max(0, wal.durable() - Math.max(forwarder.position(), wal.segments()[0]?.base ?? 0));
  const isStopping = () => stopping;
  const forwarder = createForwarder({
    ...{ wal, metrics, problem, pause, stopping: isStopping },
    deliver: (record) =>
      deliver(
        {
          ...{ target, mark, nowMs, pause, stopping: isStopping },
          lostBecause({ receivedAtMs }) {
            if (nowMs() - receivedAtMs > keeping.keepMs) return 'expired';
            return backlogBytes() > keeping.bytes ? 'overflow' : null;
          },
        },
        record,
      ),
  });

  return {
    name: `accounting for ${wal.id}`,
    append: wal.append,
    backlogBytes,
    lagMs() {
      const oldest = forwarder.oldestMs();
      return oldest === null ? 0 : Math.max(0, nowMs() - oldest);
    },
    start: forwarder.start,
    async stop() {
      stopping = true;
      for (const end of [...sleeping]) end();
      await forwarder.stop();
      await wal.close();
    },
  };
}

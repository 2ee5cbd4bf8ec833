// Reads entries of every partition's outbox into the rows of one batch.
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { BatchFacts } from '#ops/spool/batch-file.ts';
import { createRowWriter } from '#ops/stores/row-binary.ts';
import { msOfId } from '#policy/ledger/history-lag.ts';
import type { OutboxRead } from '#policy/ledger/outbox.ts';
import { partitionCount } from '#policy/ledger/types.ts';
import type { Receipt } from './receipt.ts';
import { writeRow } from './row.ts';

/** The next entries of a partition. */
export type Source = (partition: number, count: number) => Promise<OutboxRead>;

export type Gathered = Pick<BatchFacts, 'rows' | 'oldestMs'> & {
  readonly receipt: Receipt;
  /** gzip of the rows; empty without any. */
  readonly body: Buffer;
  /** Why some partitions could not be read: their entries may be on their way to nowhere. */
  readonly failures: readonly unknown[];
  readonly unreadable: readonly string[];
};

/** Entries, of up to 16 rows: so few at once that the event loop is never held up for long. */
const perRead = 4;
export const everyPartition = Array.from({ length: partitionCount }, (_, partition) => partition);
const compress = promisify(gzip);

/** Reads until nothing is left, about `mostRows` are gathered, something fails, or `stopped`. */
export async function gather(
  partitions: readonly number[],
  source: Source,
  mostRows: number,
  stopped: () => boolean,
): Promise<Gathered> {
  const writer = createRowWriter();
  const receipt = new Map<number, string[]>();
  const failures: unknown[] = [];
  const unreadable: string[] = [];
  let rows = 0;
  let oldestMs = Number.POSITIVE_INFINITY;
  for (let more = true; more && rows < mostRows && failures.length === 0 && !stopped(); ) {
    const reads = await Promise.allSettled(partitions.map((partition) => source(partition, perRead)));
    more = false;
    for (const [index, read] of reads.entries()) {
      const partition = partitions[index] ?? 0;
      if (read.status === 'rejected') {
        failures.push(read.reason);
        continue;
      }
      unreadable.push(...read.value.unreadable);
      const { ids } = read.value;
      if (ids.length === 0) continue;
      more = true;
      rows += read.value.rows.length;
      for (const row of read.value.rows) writeRow(writer, row);
      for (const id of ids) oldestMs = Math.min(oldestMs, msOfId(id));
      receipt.set(partition, [...(receipt.get(partition) ?? []), ...ids]);
    }
  }
  const body = rows === 0 ? Buffer.alloc(0) : await compress(writer.take(), { level: 1 });
  return { rows, oldestMs, receipt, body, failures, unreadable };
}

// Reads entries of every partition's outbox into the rows of one batch.
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { setImmediate as otherWork } from 'node:timers/promises';
import { createGzip, type Gzip } from 'node:zlib';
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

/**
 * Entries of a partition: so few at once that the event loop is never held up for long, and a batch ends soon after its rows. One of
 * accounting has up to 16, one of flow usage up to 500.
 */
const entriesAtOnce = { first: 4, small: 8, large: 1 } as const;
/** Rows of an entry. */
const smallEntry = 16;
export const partitionsAtOnce = 8;
export const everyPartition = Array.from({ length: partitionCount }, (_, partition) => partition);
/** Bytes of rows that wait to be compressed: a whole batch has fifty times of it. */
const pieceBytes = 256 * 1024;

/** Reads until no partition has as many as were asked of it, `mostRows` or a little more are gathered, something fails, or it is `ended`. */
export async function gather(
  partitions: readonly number[],
  source: Source,
  mostRows: number,
  ended: () => boolean,
): Promise<Gathered> {
  const writer = createRowWriter();
  const compressed = createCompressed();
  const receipt = new Map<number, string[]>();
  const failures: unknown[] = [];
  const unreadable: string[] = [];
  let rows = 0;
  let entries = 0;
  let each: number = entriesAtOnce.first;
  let oldestMs = Number.POSITIVE_INFINITY;
  const enough = () => rows >= mostRows || failures.length > 0 || ended();

  function take(partition: number, { ids, rows: found, unreadable: damaged }: OutboxRead): void {
    unreadable.push(...damaged);
    rows += found.length;
    entries += ids.length;
    for (const row of found) writeRow(writer, row);
    for (const id of ids) oldestMs = Math.min(oldestMs, msOfId(id));
    const known = receipt.get(partition);
    if (known) known.push(...ids);
    else if (ids.length > 0) receipt.set(partition, [...ids]);
  }

  for (let more = true; more && !enough(); ) {
    more = false;
    for (let at = 0; at < partitions.length && !enough(); at += partitionsAtOnce) {
      const some = partitions.slice(at, at + partitionsAtOnce);
      const count = each;
      const reads = await Promise.allSettled(some.map((partition) => source(partition, count)));
      for (const [index, read] of reads.entries()) {
        if (read.status === 'rejected') failures.push(read.reason);
        else take(some[index] ?? 0, read.value);
        more ||= read.status === 'fulfilled' && read.value.ids.length >= count;
      }
      each = rows <= entries * smallEntry ? entriesAtOnce.small : entriesAtOnce.large;
      if (writer.length() >= pieceBytes) await compressed.add(writer.take());
      await otherWork();
    }
  }
  const body = rows === 0 ? Buffer.alloc(0) : await compressed.end(writer.take());
  return { rows, oldestMs, receipt, body, failures, unreadable };
}

/** gzip of what is added, made while more is read. */
function createCompressed() {
  let zip: Gzip | undefined;
  let whole: Promise<Buffer> | undefined;
  const begun = () => {
    zip ??= createGzip({ level: 1 });
    if (!whole) {
      whole = buffer(zip);
      // Told by `end`, and by `add`.
      whole.catch(() => undefined);
    }
    return { zip, whole };
  };
  return {
    async add(piece: Buffer): Promise<void> {
      const { zip } = begun();
      if (!zip.write(piece)) await once(zip, 'drain');
    },
    end(last: Buffer): Promise<Buffer> {
      const { zip, whole } = begun();
      zip.end(last);
      return whole;
    },
  };
}

// Collects the rows of a worker into batches: each is named, filled, and handed to the main thread, which keeps and ships it.
import { randomBytes } from 'node:crypto';
import { type Counters, counterPlaces } from '../counters.ts';
import type { FlowColumns } from '../wire/columns.ts';
import { batchNameLength, type RowOwner, rowBytes, writeRow } from './row.ts';

export type RowBatch = {
  /** Also its token of deduplication. */
  readonly name: string;
  /** The rows are the first `rows` times `rowBytes` octets. */
  readonly buffer: ArrayBuffer;
  readonly rows: number;
  /** When the first row came. */
  readonly oldestMs: number;
};

export type Batches = {
  add(
    columns: FlowColumns,
    i: number,
    owner: RowOwner,
    subscriptionId: number,
    peerSubscriptionId: number,
    direction: number,
    nowMs: number,
  ): void;
  /** Hands over what there is. */
  flush(): void;
  /** The main thread is done with a batch; its memory may be used again. */
  settled(buffer: ArrayBuffer): void;
};

export type BatchesOptions = {
  counters: Counters;
  /** The buffer is the receiver's from now on. */
  send(batch: RowBatch): void;
  rowsPerBatch?: number;
  /** Batches the main thread may have at a time; beyond them rows are dropped and counted. */
  mostUnsettled?: number;
};

const queueFull = counterPlaces.offset('rowsDropped', 'queue_full');
/** Less than this is copied instead of giving the whole buffer away. */
const smallBytes = 1 << 20;

export function createBatches(options: BatchesOptions): Batches {
  const { counters, send, rowsPerBatch = 50_000, mostUnsettled = 6 } = options;
  const size = rowsPerBatch * rowBytes;
  const nextName = createNames();
  const spare: ArrayBuffer[] = [];
  let buffer = new ArrayBuffer(size);
  let view = new DataView(buffer);
  let octets = new Uint8Array(buffer);
  let name = nextName();
  let rows = 0;
  let oldestMs = 0;
  let unsettled = 0;

  function use(next: ArrayBuffer): void {
    buffer = next;
    view = new DataView(buffer);
    octets = new Uint8Array(buffer);
  }

  function flush(): void {
    if (rows === 0) return;
    unsettled++;
    const used = rows * rowBytes;
    const isSmall = used <= smallBytes;
    send({ name: name.text, buffer: isSmall ? buffer.slice(0, used) : buffer, rows, oldestMs });
    if (!isSmall) use(spare.pop() ?? new ArrayBuffer(size));
    name = nextName();
    rows = 0;
  }

  return {
    add(columns, i, owner, subscriptionId, peerSubscriptionId, direction, nowMs) {
      if (unsettled >= mostUnsettled) return counters.add(queueFull, 1);
      if (rows === 0) oldestMs = nowMs;
      const start = rows * rowBytes;
      octets.set(name.octets, start);
      writeRow(view, start, columns, i, owner, subscriptionId, peerSubscriptionId, direction);
      if (++rows === rowsPerBatch) flush();
    },
    flush,
    settled(returned) {
      unsettled--;
      if (returned.byteLength === size && spare.length < 2) spare.push(returned);
    },
  };
}

type BatchName = { readonly text: string /** As a String of RowBinary. */; readonly octets: Uint8Array };

/** Never the same twice: half of a name is random per run, the other half counts. */
function createNames(): () => BatchName {
  const half = batchNameLength / 2;
  const run = BigInt(`0x${randomBytes(5).toString('hex')}`)
    .toString(36)
    .padStart(half, '0');
  let count = 0;
  return () => {
    const text = run + (count++).toString(36).padStart(half, '0');
    return { text, octets: Uint8Array.of(batchNameLength, ...Buffer.from(text)) };
  };
}

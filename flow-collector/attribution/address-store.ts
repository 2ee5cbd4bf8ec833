// The addresses of sessions on disk (LMDB): written by the main thread with the position of each stream, read by workers when they start.
import { open, type RootDatabase } from 'lmdb';
import type { AddressEvent } from '#policy/ledger/addresses.ts';
import type { AddressInterval } from './address-index.ts';
import { holderOf, intervalsOf } from './holdings.ts';

type Database = RootDatabase<Buffer, Uint8Array>;

export type AddressStore = {
  /** Position of the partition's stream, '' when it was never read. */
  position(partition: number): string;
  /** Takes events over, in order, together with the position behind them. @returns the intervals that are new or changed. */
  take(partition: number, events: readonly AddressEvent[], position: string): Promise<AddressInterval[]>;
  /** The newest event of every session of the partition that is open. */
  open(partition: number): AddressEvent[];
  /** Forgets what ended before the instant. */
  expire(beforeMs: number): Promise<void>;
  close(): Promise<void>;
};

const kinds = { position: 0, holding: 1, interval: 2 } as const;
const holderBytes = 6;

export function openAddressStore(file: string): AddressStore {
  const database = openFile(file, false);

  function newest(partition: number, event: AddressEvent): AddressEvent | undefined {
    const stored = database.getBinary(holdingKey(partition, holderOf(event)));
    return stored && decodeEvent(stored);
  }

  return {
    position: (partition) => database.getBinary(Buffer.of(kinds.position, partition))?.toString() ?? '',
    async take(partition, events, position) {
      const changed: AddressInterval[] = [];
      const seen = new Map<number, AddressEvent>();
      for (const event of events) {
        const holder = holderOf(event);
        changed.push(...intervalsOf(event, seen.get(holder) ?? newest(partition, event), partition));
        seen.set(holder, event);
      }
      await database.batch(() => {
        for (const [holder, event] of seen) void database.put(holdingKey(partition, holder), encodeEvent(event));
        for (const interval of changed) void database.put(intervalKey(interval), encodeInterval(interval));
        void database.put(Buffer.of(kinds.position, partition), Buffer.from(position));
      });
      return changed;
    },
    open(partition) {
      const range = database.getRange({
        start: Buffer.of(kinds.holding, partition),
        end: after(kinds.holding, partition),
      });
      return [...range.map(({ value }) => decodeEvent(value)).filter(({ toMs }) => toMs === null)];
    },
    async expire(beforeMs) {
      const gone: Uint8Array[] = [];
      for (const { key, value } of database.getRange({
        start: Buffer.of(kinds.holding),
        end: Buffer.of(kinds.interval),
      })) {
        const { toMs } = decodeEvent(value);
        if (toMs !== null && toMs < beforeMs) gone.push(Buffer.from(key));
      }
      for (const { key, value } of database.getRange({ start: Buffer.of(kinds.interval) })) {
        if (value.readDoubleLE(16) < beforeMs) gone.push(Buffer.from(key));
      }
      await database.batch(() => {
        for (const key of gone) void database.remove(key);
      });
    },
    close: () => database.close(),
  };
}

/** Every interval the main thread has written, to `take`, in any order. The file must exist. */
export async function readIntervals(file: string, take: (interval: AddressInterval) => void): Promise<void> {
  const database = openFile(file, true);
  for (const { key, value } of database.getRange({ start: Buffer.of(kinds.interval) }))
    take(decodeInterval(key, value));
  await database.close();
}

function openFile(file: string, readOnly: boolean): Database {
  return open<Buffer, Uint8Array>({ path: file, noSubdir: true, encoding: 'binary', keyEncoding: 'binary', readOnly });
}

function after(kind: number, partition: number): Buffer {
  return Buffer.of(kind, partition + 1);
}

function holdingKey(partition: number, holder: number): Buffer {
  const key = Buffer.allocUnsafe(2 + holderBytes);
  key[0] = kinds.holding;
  key[1] = partition;
  key.writeUIntBE(holder, 2, holderBytes);
  return key;
}

/** Kind, partition, holder, beginning (6), length of the prefix, words. */
function intervalKey({ partition, holder, fromMs, length, words }: AddressInterval): Buffer {
  const key = Buffer.allocUnsafe(3 + 2 * holderBytes + 4 * words.length);
  key[0] = kinds.interval;
  key[1] = partition;
  key.writeUIntBE(holder, 2, holderBytes);
  key.writeUIntBE(fromMs, 8, 6);
  key[14] = length;
  for (const [i, word] of words.entries()) key.writeUInt32BE(word, 15 + 4 * i);
  return key;
}

/** Tenant, subscription, end. */
function encodeInterval({ tenantId, subscriptionId, toMs }: AddressInterval): Buffer {
  const value = Buffer.allocUnsafe(24);
  value.writeDoubleLE(tenantId, 0);
  value.writeDoubleLE(subscriptionId, 8);
  value.writeDoubleLE(toMs, 16);
  return value;
}

function decodeInterval(bytes: Uint8Array, value: Buffer): AddressInterval {
  const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words = Array.from({ length: (key.length - 15) / 4 }, (_, i) => key.readUInt32BE(15 + 4 * i));
  return {
    partition: key[1] as number,
    holder: key.readUIntBE(2, holderBytes),
    fromMs: key.readUIntBE(8, 6),
    length: key[14] as number,
    words,
    tenantId: value.readDoubleLE(0),
    subscriptionId: value.readDoubleLE(8),
    toMs: value.readDoubleLE(16),
  };
}

function encodeEvent(event: AddressEvent): Buffer {
  return Buffer.from(JSON.stringify(event));
}

function decodeEvent(bytes: Buffer): AddressEvent {
  return JSON.parse(bytes.toString()) as AddressEvent;
}

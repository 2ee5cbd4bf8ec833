// The stored form of a flow usage record: version, partition, time, then the entries; numbers as LEB128.
import { createByteReader, createByteWriter, DamagedBytes } from '#ops/wal/bytes.ts';
import { type FlowUsageRecord, partitionCount } from '#policy/ledger/types.ts';
import { quarterMs } from './tally.ts';

const version = 1;
/** At most so many entries are one call of the ledger. */
export const mostEntries = 500;

const writer = createByteWriter();

export function encodeUsage({ partition, receivedAtMs, entries }: FlowUsageRecord): Buffer {
  writer.byte(version);
  writer.byte(partition);
  writer.number(receivedAtMs);
  writer.number(entries.length);
  for (const { tenantId, subscriptionId, slotFromMs, upBytes, downBytes } of entries) {
    writer.number(tenantId);
    writer.number(subscriptionId);
    writer.number(slotFromMs / quarterMs);
    writer.number(upBytes);
    writer.number(downBytes);
  }
  return writer.take();
}

export type DecodedUsage = { ok: true; record: FlowUsageRecord } | { ok: false; reason: 'version' | 'damaged' };

export function decodeUsage(bytes: Buffer): DecodedUsage {
  if (bytes[0] !== version) return { ok: false, reason: 'version' };
  const reader = createByteReader(bytes.subarray(1));
  try {
    const partition = reader.byte();
    const receivedAtMs = reader.number();
    const count = reader.number();
    if (partition >= partitionCount || count > mostEntries) return { ok: false, reason: 'damaged' };
    const entries = Array.from({ length: count }, () => ({
      tenantId: reader.number(),
      subscriptionId: reader.number(),
      slotFromMs: reader.number() * quarterMs,
      upBytes: reader.number(),
      downBytes: reader.number(),
    }));
    return reader.done()
      ? { ok: true, record: { partition, receivedAtMs, entries } }
      : { ok: false, reason: 'damaged' };
  } catch (error) {
    if (error instanceof DamagedBytes) return { ok: false, reason: 'damaged' };
    throw error;
  }
}

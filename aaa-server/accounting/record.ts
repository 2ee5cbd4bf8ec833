// The stored form of an accounting record: version, kind, a bit per optional field, numbers as LEB128, texts with their length.

import { type ByteReader, createByteReader, createByteWriter, DamagedBytes } from '#ops/wal/bytes.ts';
import { type AccountingRecord, accountingKinds, partitionCount } from '#policy/ledger/types.ts';

const version = 2;
/** Without the texts of IPv6 prefixes. */
const versionOne = 1;

const optionalNumbers = ['sessionTimeS', 'upOctets', 'downOctets', 'upGigawords', 'downGigawords'] as const;
const numbers = ['receivedAtMs', 'eventAtMs', 'tenantId', 'nasId', 'partition', 'subscriptionId'] as const;
const texts = [
  'nasInstance',
  'sessionId',
  'userName',
  'sourceAddress',
  'nasIpAddress',
  'nasPort',
  'nasPortId',
  'framedIp',
  'callingStationId',
  'calledStationId',
  'terminateCause',
  'framedIpv6Prefix',
  'delegatedIpv6Prefix',
] as const;
const hexes = [
  ['classUuid', 16],
  ['loginOutcomeHash', 4],
] as const;

const writer = createByteWriter();

export function encodeRecord(record: AccountingRecord): Buffer {
  writer.byte(version);
  writer.byte(accountingKinds.indexOf(record.kind));
  let present = 0;
  optionalNumbers.forEach((name, bit) => {
    if (record[name] !== null) present |= 1 << bit;
  });
  hexes.forEach(([name], index) => {
    if (record[name] !== '') present |= 1 << (optionalNumbers.length + index);
  });
  writer.byte(present);
  for (const name of numbers) writer.number(record[name]);
  for (const name of optionalNumbers) {
    const value = record[name];
    if (value !== null) writer.number(value);
  }
  for (const [name] of hexes) writer.hex(record[name]);
  for (const name of texts) writer.text(record[name]);
  return writer.take();
}

export type DecodedRecord = { ok: true; record: AccountingRecord } | { ok: false; reason: 'version' | 'damaged' };

export function decodeRecord(bytes: Buffer): DecodedRecord {
  const stored = bytes[0];
  if (stored !== version && stored !== versionOne) return { ok: false, reason: 'version' };
  const reader = createByteReader(bytes.subarray(1));
  try {
    const record = readRecord(reader, stored);
    return record && reader.done() ? { ok: true, record } : { ok: false, reason: 'damaged' };
  } catch (error) {
    if (error instanceof DamagedBytes) return { ok: false, reason: 'damaged' };
    throw error;
  }
}

/** The fields in the order in which {@link encodeRecord} writes them. */
function readRecord(reader: ByteReader, stored: number): AccountingRecord | undefined {
  const kind = accountingKinds[reader.byte()];
  const present = reader.byte();
  const optional = (bit: number) => (present & (1 << bit) ? reader.number() : null);
  const hex = (index: number, length: number) =>
    present & (1 << (optionalNumbers.length + index)) ? reader.hex(length) : '';
  if (!kind || present >= 1 << (optionalNumbers.length + hexes.length)) return undefined;
  const record: AccountingRecord = {
    kind,
    receivedAtMs: reader.number(),
    eventAtMs: reader.number(),
    tenantId: reader.number(),
    nasId: reader.number(),
    partition: reader.number(),
    subscriptionId: reader.number(),
    sessionTimeS: optional(0),
    upOctets: optional(1),
    downOctets: optional(2),
    upGigawords: optional(3),
    downGigawords: optional(4),
    classUuid: hex(0, 16),
    loginOutcomeHash: hex(1, 4),
    nasInstance: reader.text(),
    sessionId: reader.text(),
    userName: reader.text(),
    sourceAddress: reader.text(),
    nasIpAddress: reader.text(),
    nasPort: reader.text(),
    nasPortId: reader.text(),
    framedIp: reader.text(),
    callingStationId: reader.text(),
    calledStationId: reader.text(),
    terminateCause: reader.text(),
    framedIpv6Prefix: stored === versionOne ? '' : reader.text(),
    delegatedIpv6Prefix: stored === versionOne ? '' : reader.text(),
  };
  return record.partition < partitionCount ? record : undefined;
}

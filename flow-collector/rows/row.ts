// A flow as a row of table `flows` in ClickHouse's RowBinary: every row has the same length.
import { writeAddress } from '../wire/addresses.ts';
import type { FlowColumns } from '../wire/columns.ts';

/** Characters of a batch's name, which every row carries. */
export const batchNameLength = 16;

/** Enum8 of the table. */
export const rowDirection = { unknown: 0, up: 1, down: 2, local: 3 } as const;

/** Names in the order of the octets, with how many each takes. */
const columnBytes = [
  ['batch', 1 + batchNameLength],
  ['tenant_id', 8],
  ['subscription_id', 8],
  ['peer_subscription_id', 8],
  ['exporter', 16],
  ['exporter_id', 8],
  ['version', 1],
  ['received_at', 8],
  ['started_at', 8],
  ['ended_at', 8],
  ['direction', 1],
  ['src', 16],
  ['dst', 16],
  ['src_nat', 16],
  ['dst_nat', 16],
  ['src_port', 2],
  ['dst_port', 2],
  ['protocol', 1],
  ['tcp_flags', 2],
  ['tos', 1],
  ['bytes', 8],
  ['packets', 8],
  ['sampling_rate', 4],
  ['in_if', 4],
  ['out_if', 4],
  ['src_as', 4],
  ['dst_as', 4],
] as const;

type Column = (typeof columnBytes)[number][0];

export const insertFlows = `INSERT INTO flows (${columnBytes.map(([name]) => name).join(', ')}) FORMAT RowBinary`;

let bytes = 0;
const offsets = {} as Record<Column, number>;
for (const [name, length] of columnBytes) {
  offsets[name] = bytes;
  bytes += length;
}
export const rowBytes = bytes;

/** What the row says beside the columns: whose exporter, and whose the flow is. */
export type RowOwner = {
  readonly tenantId: number;
  readonly exporterId: number;
  /** Of the exporter, as four words of an IPv6 address. */
  readonly exporterWords: Uint32Array;
};

const twoTo32 = 2 ** 32;
// Constants of the module: what V8 folds into the code below.
const at = { ...offsets };

/** Writes row `i` of the columns at `start`; the batch's name is there already. */
export function writeRow(
  view: DataView,
  start: number,
  columns: FlowColumns,
  i: number,
  owner: RowOwner,
  subscriptionId: number,
  peerSubscriptionId: number,
  direction: number,
): void {
  writeUint64(view, start + at.tenant_id, owner.tenantId);
  writeUint64(view, start + at.subscription_id, subscriptionId);
  writeUint64(view, start + at.peer_subscription_id, peerSubscriptionId);
  for (let word = 0; word < 4; word++)
    view.setUint32(start + at.exporter + 4 * word, owner.exporterWords[word] as number);
  writeUint64(view, start + at.exporter_id, owner.exporterId);
  view.setUint8(start + at.version, columns.version[i] as number);
  writeUint64(view, start + at.received_at, columns.receivedAt[i] as number);
  writeUint64(view, start + at.started_at, columns.startedAt[i] as number);
  writeUint64(view, start + at.ended_at, columns.endedAt[i] as number);
  view.setUint8(start + at.direction, direction);
  const family = columns.family[i] as number;
  writeAddress(view, start + at.src, family, columns.src4, columns.src6, i);
  writeAddress(view, start + at.dst, family, columns.dst4, columns.dst6, i);
  const natFamily = columns.natFamily[i] as number;
  writeAddress(view, start + at.src_nat, natFamily, columns.srcNat4, columns.srcNat6, i);
  writeAddress(view, start + at.dst_nat, natFamily, columns.dstNat4, columns.dstNat6, i);
  view.setUint16(start + at.src_port, columns.srcPort[i] as number, true);
  view.setUint16(start + at.dst_port, columns.dstPort[i] as number, true);
  view.setUint8(start + at.protocol, columns.protocol[i] as number);
  view.setUint16(start + at.tcp_flags, columns.tcpFlags[i] as number, true);
  view.setUint8(start + at.tos, columns.tos[i] as number);
  writeUint64(view, start + at.bytes, columns.bytes[i] as number);
  writeUint64(view, start + at.packets, columns.packets[i] as number);
  view.setUint32(start + at.sampling_rate, columns.samplingRate[i] as number, true);
  view.setUint32(start + at.in_if, columns.inIf[i] as number, true);
  view.setUint32(start + at.out_if, columns.outIf[i] as number, true);
  view.setUint32(start + at.src_as, columns.srcAs[i] as number, true);
  view.setUint32(start + at.dst_as, columns.dstAs[i] as number, true);
}

/** 0 … 2^53 − 1. */
function writeUint64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value, true);
  view.setUint32(offset + 4, value / twoTo32, true);
}

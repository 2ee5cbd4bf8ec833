// Writes an entry of the outbox as a row of the table `accounting`.
import type { RowWriter } from '#ops/stores/row-binary.ts';
import type { OutboxRow } from '#policy/ledger/outbox-entry.ts';

type Column = readonly [name: string, write: (writer: RowWriter, entry: OutboxRow) => void];

const columns: readonly Column[] = [
  ['wal', (to, { wal }) => to.text(wal)],
  ['position', (to, { position }) => to.uint64(position)],
  ['part', (to, { part }) => to.uint32(part)],
  ['generation', (to, { generation }) => to.uint64(generation)],
  ['tenant_id', (to, { tenantId }) => to.uint64(tenantId)],
  ['subscription_id', (to, { subscriptionId }) => to.uint64(subscriptionId)],
  ['partition', (to, { partition }) => to.uint8(partition)],
  ['meter', (to, { meter }) => to.uint8(meterNumbers[meter])],
  ['kind', (to, { kind }) => to.text(kind)],
  ['nas_id', (to, { nasId }) => to.uint64(nasId)],
  ['nas_instance', (to, { nasInstance }) => to.text(nasInstance)],
  ['session_id', (to, { sessionId }) => to.text(sessionId)],
  ['incarnation', (to, { incarnation }) => to.uint32(incarnation)],
  ['user_name', (to, { userName }) => to.text(userName)],
  ['framed_ip', (to, { framedIp }) => to.text(framedIp)],
  ['from_at', (to, { fromMs }) => to.uint64(fromMs)],
  ['event_at', (to, { eventAtMs }) => to.uint64(eventAtMs)],
  ['received_at', (to, { receivedAtMs }) => to.uint64(receivedAtMs)],
  ['up_total', (to, { upTotal }) => to.uint64(upTotal)],
  ['down_total', (to, { downTotal }) => to.uint64(downTotal)],
  ['up_delta', (to, { upDelta }) => to.uint64(upDelta)],
  ['down_delta', (to, { downDelta }) => to.uint64(downDelta)],
  ['flags', (to, { flags }) => to.text(flags.join(','))],
  ['state', (to, { state }) => to.text(state)],
];

/** Enum8 of the table. */
const meterNumbers: Readonly<Record<OutboxRow['meter'], number>> = { radius: 1, flow: 2 };

export const insertAccounting = `INSERT INTO accounting (${columns.map(([name]) => name).join(', ')}) FORMAT RowBinary`;

export function writeRow(writer: RowWriter, entry: OutboxRow): void {
  for (const [, write] of columns) write(writer, entry);
}

// A login as a row of the table `logins`.
import type { RowWriter } from '#ops/stores/row-binary.ts';

export type LoginRow = {
  readonly atMs: number;
  readonly tenantId: number;
  /** 0: nobody's. */
  readonly subscriptionId: number;
  readonly userName: string;
  readonly nasId: number;
  readonly method: string;
  /** left_out: `count` rejects that were not written one by one. */
  readonly result: 'accept' | 'reject' | 'unanswered' | 'left_out';
  readonly reason: string;
  readonly callingStationId: string;
  readonly nasPortId: string;
  readonly framedIp: string;
  /** What the speed follows from: text of policy/access/outcome.ts. */
  readonly outcome: string;
  readonly durationUs: number;
  readonly node: string;
  readonly worker: number;
  /** With `node` and `worker` names the row among those of its millisecond. */
  readonly sequence: number;
  /** Tried by an operator. */
  readonly test: boolean;
  readonly count: number;
};

type Column = readonly [name: string, write: (to: RowWriter, row: LoginRow) => void];

/** Enum8 of the table. */
const results: Readonly<Record<LoginRow['result'], number>> = { accept: 1, reject: 2, unanswered: 3, left_out: 4 };

const columns: readonly Column[] = [
  ['at', (to, { atMs }) => to.uint64(atMs)],
  ['tenant_id', (to, { tenantId }) => to.uint64(tenantId)],
  ['subscription_id', (to, { subscriptionId }) => to.uint64(subscriptionId)],
  ['user_name', (to, { userName }) => to.text(userName)],
  ['nas_id', (to, { nasId }) => to.uint64(nasId)],
  ['method', (to, { method }) => to.text(method)],
  ['result', (to, { result }) => to.uint8(results[result])],
  ['reason', (to, { reason }) => to.text(reason)],
  ['calling_station_id', (to, { callingStationId }) => to.text(callingStationId)],
  ['nas_port_id', (to, { nasPortId }) => to.text(nasPortId)],
  ['framed_ip', (to, { framedIp }) => to.text(framedIp)],
  ['outcome', (to, { outcome }) => to.text(outcome)],
  ['duration_us', (to, { durationUs }) => to.uint32(durationUs)],
  ['node', (to, { node }) => to.text(node)],
  ['worker', (to, { worker }) => to.uint8(worker)],
  ['sequence', (to, { sequence }) => to.uint64(sequence)],
  ['test', (to, { test }) => to.uint8(Number(test))],
  ['count', (to, { count }) => to.uint32(count)],
];

export const insertLogins = `INSERT INTO logins (${columns.map(([name]) => name).join(', ')}) FORMAT RowBinary`;

export function writeLogin(writer: RowWriter, row: LoginRow): void {
  for (const [, write] of columns) write(writer, row);
}

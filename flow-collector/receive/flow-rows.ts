// What becomes of decoded flows: whose they are when they ended, what counts as usage, and their row for ClickHouse.
import type { AddressIndex } from '../attribution/address-index.ts';
import { type Counters, counterPlaces } from '../counters.ts';
import type { Sender, Senders } from '../exporters/senders.ts';
import type { Batches } from '../rows/batches.ts';
import { rowDirection } from '../rows/row.ts';
import type { Usage } from '../usage/usage.ts';
import { clearColumns, type FlowColumns, flag, flowDirection } from '../wire/columns.ts';

export type FlowRowsDeps = {
  readonly addresses: AddressIndex;
  readonly senders: Pick<Senders, 'byIndex'>;
  readonly usage: Pick<Usage, 'add'>;
  readonly batches: Pick<Batches, 'add'>;
  readonly counters: Counters;
  nowMs(): number;
};

const places = {
  records: counterPlaces.offset('records', ''),
  unknownExporter: counterPlaces.offset('dropped', 'unknown_exporter'),
  unattributed: counterPlaces.offset('unattributed', ''),
};
const noUsage = flag.notForwarded | flag.samplingUnknown;

/** Takes the rows of the columns and clears them. */
export function createFlowRows(deps: FlowRowsDeps): (columns: FlowColumns) => void {
  const { addresses, senders, usage, batches, counters } = deps;

  /** The interval that held the address of `row`, −1 for nobody's. */
  function holder(
    tenant: number,
    family: number,
    four: Uint32Array,
    six: Uint32Array,
    row: number,
    atMs: number,
  ): number {
    const found =
      family === 4 ? addresses.find4(tenant, four[row] as number, atMs) : addresses.find6(tenant, six, row * 4, atMs);
    return found >= 0 && addresses.subscriptionId(found) > 0 ? found : -1;
  }

  /** Whose the destination is: behind a translation that of the translated address, which alone names the subscriber. */
  function receiver(tenant: number, columns: FlowColumns, i: number, atMs: number): number {
    const natFamily = columns.natFamily[i] as number;
    const isTold = natFamily === 4 ? columns.dstNat4[i] !== 0 : natFamily === 6 && !isZero(columns.dstNat6, i * 4);
    return isTold
      ? holder(tenant, natFamily, columns.dstNat4, columns.dstNat6, i, atMs)
      : holder(tenant, columns.family[i] as number, columns.dst4, columns.dst6, i, atMs);
  }

  function count(sender: Sender, interval: number, endedAtMs: number, upBytes: number, downBytes: number): void {
    const subscriptionId = addresses.subscriptionId(interval);
    usage.add(sender.tenantId, subscriptionId, addresses.partition(interval), endedAtMs, upBytes, downBytes);
  }

  return (columns) => {
    const nowMs = deps.nowMs();
    let unknown = 0;
    let nobodys = 0;
    for (let i = 0; i < columns.count; i++) {
      const sender = senders.byIndex(columns.exporter[i] as number);
      if (sender && columns.samplingRate[i] !== 1) sender.sampled++;
      if (!sender || sender.tenantId === 0) {
        unknown++;
        continue;
      }
      const endedAtMs = columns.endedAt[i] as number;
      const from = holder(sender.tenant, columns.family[i] as number, columns.src4, columns.src6, i, endedAtMs);
      const to = receiver(sender.tenant, columns, i, endedAtMs);
      if (sender.countsUsage && isUsage(columns, i, sender)) {
        const bytes = columns.bytes[i] as number;
        if (from >= 0) count(sender, from, endedAtMs, bytes, 0);
        if (to >= 0) count(sender, to, endedAtMs, 0, bytes);
      }
      const source = from < 0 ? 0 : addresses.subscriptionId(from);
      const destination = to < 0 ? 0 : addresses.subscriptionId(to);
      const isLocal = from >= 0 && to >= 0;
      if (from < 0 && to < 0) {
        nobodys++;
        sender.unattributed++;
      }
      const direction = isLocal
        ? rowDirection.local
        : from >= 0
          ? rowDirection.up
          : to >= 0
            ? rowDirection.down
            : rowDirection.unknown;
      batches.add(columns, i, sender, from < 0 ? destination : source, isLocal ? destination : 0, direction, nowMs);
    }
    counters.add(places.records, columns.count);
    if (unknown > 0) counters.add(places.unknownExporter, unknown);
    if (nobodys > 0) counters.add(places.unattributed, nobodys);
    clearColumns(columns);
  };
}

/** Every packet was looked at and went on, and the flow was seen on the side of the interface that counts. */
function isUsage(columns: FlowColumns, i: number, { countDirection }: Sender): boolean {
  if (columns.samplingRate[i] !== 1 || ((columns.flags[i] as number) & noUsage) !== 0) return false;
  const seen = columns.direction[i] as number;
  return countDirection === 'both' || seen === flowDirection.notTold || seen === flowDirection[countDirection];
}

function isZero(words: Uint32Array, at: number): boolean {
  return words[at] === 0 && words[at + 1] === 0 && words[at + 2] === 0 && words[at + 3] === 0;
}

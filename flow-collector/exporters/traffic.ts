// What a worker has received from each sender: told to the main thread, and summed into the counters of the worker.
import type { ExporterTraffic } from '#ops/stores/exporter-traffic.ts';
import { type Counters, counterPlaces, decodeDrops } from '../counters.ts';
import { type CountName, countIndex } from '../wire/counts.ts';
import { hasSpoken, type Sender } from './senders.ts';

export type SenderTraffic = ExporterTraffic & {
  /** 0: no exporter yet. */
  readonly exporterId: number;
  /** 0: nobody's. */
  readonly tenantId: number;
};

/** Which counter of the worker a count of decoding belongs to. */
const sums: readonly (readonly [CountName, number])[] = [
  ...decodeDrops.map((reason) => [reason, counterPlaces.offset('dropped', reason)] as const),
  ['lost_flows', counterPlaces.offset('lost', '')],
  ['lost_packets', counterPlaces.offset('lost', '')],
  ['unknown_template', counterPlaces.offset('unknownTemplate', '')],
  ['set_decoded_late', counterPlaces.offset('lateDecoded', '')],
  ['time_clamped', counterPlaces.offset('timeClamped', '')],
];

/** Adds what decoding counted since the last call. */
export function createTrafficSums(counters: Counters): (sender: Sender) => void {
  const told = new WeakMap<Sender, Float64Array>();
  return (sender) => {
    const { counts } = sender.exporter;
    const before = told.get(sender);
    for (const [name, place] of sums) {
      const more = countOf(counts, name) - (before ? countOf(before, name) : 0);
      if (more !== 0) counters.add(place, more);
    }
    if (before) before.set(counts);
    else told.set(sender, counts.slice());
  };
}

/** Of the senders that have sent anything that could be read. */
export function trafficOf(senders: Iterable<Sender>): SenderTraffic[] {
  return [...senders].filter(hasSpoken).map((sender) => {
    const { counts } = sender.exporter;
    return {
      address: sender.exporter.address,
      exporterId: sender.exporterId,
      tenantId: sender.tenantId,
      packets: countOf(counts, 'packets'),
      records: countOf(counts, 'flows'),
      unknownTemplates: countOf(counts, 'unknown_template'),
      lateDecoded: countOf(counts, 'set_decoded_late'),
      lost: countOf(counts, 'lost_flows') + countOf(counts, 'lost_packets'),
      timeClamped: countOf(counts, 'time_clamped'),
      unattributed: sender.unattributed,
      sampled: sender.sampled,
      lastSeenMs: sender.lastSeenMs,
      countedSinceMs: sender.countedSinceMs,
    };
  });
}

function countOf(counts: Float64Array, name: CountName): number {
  return counts[countIndex[name]] as number;
}

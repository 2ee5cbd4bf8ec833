// What flow-collector counts: families of metrics in one shared array per thread, which the main thread sums for /metrics.
import { type CounterFamilies, counterLayout } from '#ops/runtime/shared-counters.ts';
import { udpEvents } from '#ops/runtime/udp.ts';
import type { CountName } from './wire/counts.ts';

/** Why a datagram, a set in it, or a record is not taken, as decoding counts it. */
export const decodeDrops = [
  'too_short',
  'bad_version',
  'unsupported_version',
  'malformed_length',
  'zero_length_record',
  'reserved_set',
  'set_dropped',
  'template_malformed',
  'layout_limited',
  'not_a_flow',
  'totals_ignored',
] as const satisfies readonly CountName[];

/** The same before decoding (datagrams of senders beyond those that are remembered) and behind it (flows of a sender without a tenant). */
export const ownDrops = ['too_many_exporters', 'unknown_exporter'] as const;

/** Why a row does not get into ClickHouse: its queue is full, its spool is full, it cannot be written to disk, ClickHouse refuses it. */
export const rowDrops = ['queue_full', 'no_clickhouse', 'spool_full', 'disk_refuses', 'refused'] as const;
export type RowDrop = (typeof rowDrops)[number];

export const versions = ['5', '9', '10', 'other'] as const;

export const counterFamilies = {
  packets: {
    name: 'lastmile_flow_packets_total',
    help: 'Datagrams received, by version of NetFlow; 10 is IPFIX',
    label: 'version',
    values: versions,
  },
  records: { name: 'lastmile_flow_records_total', help: 'Flows decoded', values: [''] },
  dropped: {
    name: 'lastmile_flow_dropped_total',
    help: 'Datagrams, sets or records not taken, by reason',
    label: 'reason',
    values: [...decodeDrops, ...ownDrops],
  },
  lost: {
    name: 'lastmile_flow_lost_total',
    help: 'Missing by sequence number: flows of version 5, datagrams of version 9',
    values: [''],
  },
  unknownTemplate: {
    name: 'lastmile_flow_unknown_template_total',
    help: 'Sets that came before their template',
    values: [''],
  },
  lateDecoded: {
    name: 'lastmile_flow_late_decoded_total',
    help: 'Sets that came before their template and were decoded when it came',
    values: [''],
  },
  timeClamped: {
    name: 'lastmile_flow_time_clamped_total',
    help: 'Flows whose time was more than a day off: the time of receipt stands in',
    values: [''],
  },
  unattributed: {
    name: 'lastmile_flow_unattributed_total',
    help: 'Flows in which no address was a subscriber’s when they ended',
    values: [''],
  },
  usage: {
    name: 'lastmile_flow_usage_bytes_total',
    help: 'Bytes on disk for the ledger, which counts those of subscribers whose meter is flow',
    label: 'direction',
    values: ['up', 'down'],
  },
  usageDropped: {
    name: 'lastmile_flow_usage_dropped_bytes_total',
    help: 'Bytes that could not be kept for the ledger: the disk refuses them and memory is full',
    values: [''],
  },
  rowsDropped: {
    name: 'lastmile_flow_rows_dropped_total',
    help: 'Flows that do not get into ClickHouse, by reason',
    label: 'reason',
    values: rowDrops,
  },
  addressesFull: {
    name: 'lastmile_flow_addresses_full_total',
    help: 'Addresses of sessions that found no room in the index: their flows are nobody’s',
    values: [''],
  },
  udp: {
    name: 'lastmile_flow_udp_events_total',
    help: 'Datagrams not taken by the socket, by reason',
    label: 'event',
    values: udpEvents,
  },
} as const satisfies CounterFamilies;

export const counterPlaces = counterLayout(counterFamilies);

export type Counters = {
  /** Doubles, written by one thread only. */
  readonly array: Float64Array;
  add(place: number, by: number): void;
};

export function createCounters(buffer: SharedArrayBuffer): Counters {
  const array = new Float64Array(buffer);
  return {
    array,
    add(place, by) {
      array[place] = (array[place] as number) + by;
    },
  };
}

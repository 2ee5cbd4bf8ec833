// What decoding counts for each exporter: names (labels of metrics) and their places in an exporter's array.

export const countNames = [
  /** Datagrams, whatever became of them. */
  'packets',
  /** Rows written: a record with both directions of a connection gives two. */
  'flows',
  /** Records of every kind in decoded sets. */
  'records',
  'options_records',
  /** Records with a natEvent (RFC 8158): a log of translations, not traffic. */
  'nat_event',
  /** Cisco ASA: created, denied, or deleted after its updates were counted. */
  'firewall_event',
  /** Records with no address or no counter. */
  'not_a_flow',
  /** Records whose only counters are totals (elements 85, 86) of an exporter not said to send each flow once. */
  'totals_ignored',
  /** Sets whose template is unknown: kept for a while, or dropped at once. */
  'unknown_template',
  'set_buffered',
  'set_decoded_late',
  /** Sets that were kept too long, or did not fit. */
  'set_dropped',
  'template_received',
  /** Same id, other fields: also after an exporter's restart. */
  'template_changed',
  'template_withdrawn',
  'template_malformed',
  'template_evicted',
  'template_expired',
  /** Sets left out because more new layouts came than may be compiled a second. */
  'layout_limited',
  'too_short',
  'bad_version',
  /** IPFIX (version 10). */
  'unsupported_version',
  /** A set or a count reaches beyond its datagram; what came before is kept. */
  'malformed_length',
  /** Sets whose template makes records of no octets. */
  'zero_length_record',
  /** Sets with an id of 2…255, which version 9 does not use. */
  'reserved_set',
  /** By sequence: flows of version 5. */
  'lost_flows',
  /** By sequence: datagrams of version 9. */
  'lost_packets',
  'reordered',
  'exporter_restart',
  /** Flows more than a day off the time of receipt. */
  'time_clamped',
  /** Counters above 2^53 − 1. */
  'counter_clamped',
  /** Flows whose sampler is not described, or that may be one of several. */
  'sampling_unknown',
] as const;
export type CountName = (typeof countNames)[number];

/** Place of each count in `Exporter.counts`. */
export const countIndex = Object.fromEntries(countNames.map((name, i) => [name, i])) as Readonly<
  Record<CountName, number>
>;

export function count(counts: Float64Array, name: CountName, by = 1): void {
  const index = countIndex[name];
  counts[index] = (counts[index] as number) + by;
}

// The flows of a batch as typed arrays, one per column: what the decoders write, row after row, and the collector reads.

/**
 * Rows [0, count) are flows. An address is looked up by its family: IPv4 is one number in `src4`, IPv6 four words, most significant first, in
 * `src6[4 i … 4 i + 3]`; the array of the other family holds rubbish. Columns an exporter does not send are 0.
 */
export type FlowColumns = {
  readonly capacity: number;
  count: number;
  /** `index` of the exporter that sent the flow. */
  readonly exporter: Uint32Array;
  /** 5 or 9. */
  readonly version: Uint8Array;
  /** UTC ms. */
  readonly receivedAt: Float64Array;
  /** UTC ms, never after `endedAt`. */
  readonly startedAt: Float64Array;
  /** UTC ms. */
  readonly endedAt: Float64Array;
  /** Unscaled octets, at most 2^53 − 1. */
  readonly bytes: Float64Array;
  readonly packets: Float64Array;
  /** One packet of this many was looked at; 1 = unsampled. See `flag.samplingUnknown`. */
  readonly samplingRate: Uint32Array;
  /** Bits of `flag`. */
  readonly flags: Uint8Array;
  /** Of `src` and `dst`: 4 or 6. */
  readonly family: Uint8Array;
  readonly src4: Uint32Array;
  readonly dst4: Uint32Array;
  readonly src6: Uint32Array;
  readonly dst6: Uint32Array;
  /** Of `srcNat` and `dstNat`: 0 = not translated, else 4 or 6; an address of zeros is then one that was not told. */
  readonly natFamily: Uint8Array;
  readonly srcNat4: Uint32Array;
  readonly dstNat4: Uint32Array;
  readonly srcNat6: Uint32Array;
  readonly dstNat6: Uint32Array;
  readonly srcPort: Uint16Array;
  /** ICMP: type · 256 + code. */
  readonly dstPort: Uint16Array;
  readonly srcNatPort: Uint16Array;
  readonly dstNatPort: Uint16Array;
  readonly protocol: Uint8Array;
  readonly tcpFlags: Uint16Array;
  readonly tos: Uint8Array;
  /** Where the exporter saw the flow (element 61): a value of `flowDirection`. */
  readonly direction: Uint8Array;
  /** SNMP ifIndex. */
  readonly inIf: Uint32Array;
  readonly outIf: Uint32Array;
  readonly srcAs: Uint32Array;
  readonly dstAs: Uint32Array;
  /** The decoder's own: which sampler saw the flow, until `samplingRate` is known. */
  readonly sampler: Uint32Array;
  /** The decoder's own: bits of `blankColumns` that hold something since the last `clearColumns`. */
  written: number;
};

export const flag = {
  /** Dropped (128…191) or consumed by the router itself (192…255), by forwardingStatus (RFC 7270 §4.12): no subscriber's usage. */
  notForwarded: 1,
  /** The flow names a sampler nobody described, or one of several: `samplingRate` is the exporter's setting, else 1. */
  samplingUnknown: 2,
  /** The exporter's time was more than a day off: the time of receipt stands in. */
  timeClamped: 4,
} as const;

export const flowDirection = { notTold: 0, ingress: 1, egress: 2 } as const;

/** Columns that a record writes only when it has the element: `clearColumns` keeps them 0 behind `count`. */
export const blankColumns = [
  'flags',
  'natFamily',
  'srcPort',
  'dstPort',
  'srcNatPort',
  'dstNatPort',
  'protocol',
  'tcpFlags',
  'tos',
  'direction',
  'inIf',
  'outIf',
  'srcAs',
  'dstAs',
  'sampler',
  'bytes',
  'packets',
] as const satisfies readonly (keyof FlowColumns)[];
export type BlankColumn = (typeof blankColumns)[number];

/** Columns for `capacity` flows, at least 2: about 190 octets each. */
export function createColumns(capacity: number): FlowColumns {
  if (!Number.isSafeInteger(capacity) || capacity < 2) throw new RangeError(`no capacity: ${capacity}`);
  const octets = () => new Uint8Array(capacity);
  const shorts = () => new Uint16Array(capacity);
  const words = (each = 1) => new Uint32Array(capacity * each);
  const numbers = () => new Float64Array(capacity);
  return {
    capacity,
    count: 0,
    exporter: words(),
    version: octets(),
    receivedAt: numbers(),
    startedAt: numbers(),
    endedAt: numbers(),
    bytes: numbers(),
    packets: numbers(),
    samplingRate: words(),
    flags: octets(),
    family: octets(),
    src4: words(),
    dst4: words(),
    src6: words(4),
    dst6: words(4),
    natFamily: octets(),
    srcNat4: words(),
    dstNat4: words(),
    srcNat6: words(4),
    dstNat6: words(4),
    srcPort: shorts(),
    dstPort: shorts(),
    srcNatPort: shorts(),
    dstNatPort: shorts(),
    protocol: octets(),
    tcpFlags: shorts(),
    tos: octets(),
    direction: octets(),
    inIf: words(),
    outIf: words(),
    srcAs: words(),
    dstAs: words(),
    sampler: words(),
    written: 0,
  };
}

/** Forgets the rows; their memory is used again. */
export function clearColumns(columns: FlowColumns): void {
  for (const [bit, name] of blankColumns.entries()) {
    if (columns.written & (1 << bit)) columns[name].fill(0, 0, columns.count);
  }
  columns.written = 0;
  columns.count = 0;
}

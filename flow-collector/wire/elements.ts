// Which information elements fill which column (RFC 3954 §8, IANA's IPFIX registry; Cisco's own above 32767).

/**
 * Per value the elements that may carry it. Where a template has several, the first that is not 0 counts: exporters fill the one of their
 * direction (IN_BYTES or OUT_BYTES) and leave the other 0.
 */
export const numberElements = {
  bytes: [1, 23],
  packets: [2, 24],
  totalBytes: [85],
  totalPackets: [86],
  initiatorBytes: [231],
  initiatorPackets: [298],
  responderBytes: [232],
  responderPackets: [299],
  protocol: [4],
  tos: [5],
  tcpFlags: [6],
  srcPort: [7, 180, 182],
  dstPort: [11, 181, 183, 32, 139],
  srcNatPort: [227, 40003],
  dstNatPort: [228, 40004],
  inIf: [10, 252],
  outIf: [14, 253],
  srcAs: [16],
  dstAs: [17],
  direction: [61],
  ipVersion: [60],
  forwardingStatus: [89],
  /** FLOW_SAMPLER_ID and selectorId. */
  sampler: [48, 302],
  /** SAMPLING_INTERVAL and FLOW_SAMPLER_RANDOM_INTERVAL inside a flow, as Huawei sends them. */
  samplingRate: [34, 50],
  natEvent: [230],
  firewallEvent: [233, 40005],
  flowId: [148],
} as const satisfies Readonly<Record<string, readonly number[]>>;
export type NumberName = keyof typeof numberElements;

export const addressElements = {
  src4: [8],
  dst4: [12],
  srcNat4: [225, 40001],
  dstNat4: [226, 40002],
  src6: [27],
  dst6: [28],
  srcNat6: [281],
  dstNat6: [282],
} as const satisfies Readonly<Record<string, readonly number[]>>;
export type AddressName = keyof typeof addressElements;

/** How an instant is written: the length is fixed by the kind. */
export type TimeKind = 'uptime' | 'seconds' | 'milliseconds' | 'ntp' | 'microsecondsBefore';

/** The most precise kinds that do not depend on the exporter's uptime first. */
export const timeElements = {
  startedAt: [
    { element: 152, kind: 'milliseconds' },
    { element: 154, kind: 'ntp' },
    { element: 156, kind: 'ntp' },
    { element: 158, kind: 'microsecondsBefore' },
    { element: 22, kind: 'uptime' },
    { element: 150, kind: 'seconds' },
  ],
  endedAt: [
    { element: 153, kind: 'milliseconds' },
    { element: 155, kind: 'ntp' },
    { element: 157, kind: 'ntp' },
    { element: 159, kind: 'microsecondsBefore' },
    { element: 21, kind: 'uptime' },
    { element: 151, kind: 'seconds' },
  ],
} as const satisfies Readonly<Record<string, readonly { element: number; kind: TimeKind }[]>>;

export const timeLengths: Readonly<Record<TimeKind, number>> = {
  uptime: 4,
  seconds: 4,
  milliseconds: 8,
  ntp: 8,
  microsecondsBefore: 4,
};

// NetFlow v5 and v9 (RFC 3954) datagrams of distinct flows, made before they are sent; only the fields of their headers change then.
import { randomInt } from 'node:crypto';
import { subscriberAddress } from '../load/access-server.ts';

export type FlowFormat = 'v5' | 'v9';

export type Datagrams = {
  /** Data, in a ring. */
  readonly ring: readonly Buffer[];
  /** Bytes of the flows in each of them. */
  readonly flowBytes: Float64Array;
  readonly recordsEach: number;
  /** v9: what tells the layout; null where there is none to tell. */
  readonly template: Buffer | null;
  /** Writes an exporter's clock and the next number of its sequence into a datagram that is about to leave; answers the number behind it. */
  stamp(datagram: Buffer, sequence: number, uptimeMs: number, nowMs: number): number;
};

export type DatagramOptions = {
  readonly format: FlowFormat;
  readonly recordsEach: number;
  readonly datagrams: number;
  /** Source id (v9) or engine id (v5). */
  readonly exporter: number;
  /** Whose addresses appear at one end of each flow. */
  readonly subscribers: number;
  readonly firstSubscriber: number;
  /** Uptime of the exporter when they are made. */
  readonly uptimeMs: number;
};

type Flow = {
  src: number;
  dst: number;
  srcPort: number;
  dstPort: number;
  bytes: number;
  firstMs: number;
  lastMs: number;
};

export function makeDatagrams(options: DatagramOptions): Datagrams {
  const { format, recordsEach, datagrams, exporter } = options;
  const flowBytes = new Float64Array(datagrams);
  const ring = Array.from({ length: datagrams }, (_, index) => {
    const flows = Array.from({ length: recordsEach }, (_, record) => flowOf(options, index * recordsEach + record));
    flowBytes[index] = flows.reduce((sum, { bytes }) => sum + bytes, 0);
    return format === 'v5' ? version5(flows, exporter) : version9(flows, exporter);
  });
  return {
    ring,
    flowBytes,
    recordsEach,
    template: format === 'v5' ? null : template9(exporter),
    stamp: format === 'v5' ? (...stamp) => stamp5(recordsEach, ...stamp) : stamp9,
  };
}

const tcp = 6;
/** Some thousand servers out there, in documentation's and everybody's range. */
const remotes = 4096;
const firstRemote = 0xcb007100;

/** Up and down in turn; no two flows of a ring have the same ends and ports. */
function flowOf({ subscribers, firstSubscriber, uptimeMs }: DatagramOptions, index: number): Flow {
  const subscriber = subscriberAddress((firstSubscriber + index) % subscribers);
  const remote = firstRemote + (index % remotes);
  const ports = { own: 1024 + (Math.floor(index / remotes) % 60_000), remote: 443 };
  const times = {
    bytes: randomInt(64, 1_000_000),
    firstMs: uptimeMs - randomInt(2000, 60_000),
    lastMs: uptimeMs - 1000,
  };
  return index % 2 === 0
    ? { src: subscriber, dst: remote, srcPort: ports.own, dstPort: ports.remote, ...times }
    : { src: remote, dst: subscriber, srcPort: ports.remote, dstPort: ports.own, ...times };
}

const header5 = 24;
const record5 = 48;

function version5(flows: readonly Flow[], engine: number): Buffer {
  const datagram = Buffer.alloc(header5 + record5 * flows.length);
  datagram.writeUInt16BE(5, 0);
  datagram.writeUInt16BE(flows.length, 2);
  datagram[21] = engine & 255;
  for (const [index, flow] of flows.entries()) {
    const at = header5 + index * record5;
    datagram.writeUInt32BE(flow.src, at);
    datagram.writeUInt32BE(flow.dst, at + 4);
    datagram.writeUInt16BE(1, at + 12);
    datagram.writeUInt16BE(2, at + 14);
    datagram.writeUInt32BE(1, at + 16);
    datagram.writeUInt32BE(flow.bytes, at + 20);
    datagram.writeUInt32BE(flow.firstMs, at + 24);
    datagram.writeUInt32BE(flow.lastMs, at + 28);
    datagram.writeUInt16BE(flow.srcPort, at + 32);
    datagram.writeUInt16BE(flow.dstPort, at + 34);
    datagram[at + 37] = 0x1b;
    datagram[at + 38] = tcp;
  }
  return datagram;
}

/** The sequence of v5 counts flows. */
function stamp5(records: number, datagram: Buffer, sequence: number, uptimeMs: number, nowMs: number): number {
  datagram.writeUInt32BE(uptimeMs >>> 0, 4);
  datagram.writeUInt32BE(Math.floor(nowMs / 1000), 8);
  datagram.writeUInt32BE((nowMs % 1000) * 1_000_000, 12);
  datagram.writeUInt32BE(sequence, 16);
  return (sequence + records) >>> 0;
}

const header9 = 20;
const templateId = 256;
/** Information elements and their lengths: what routers export by default, 50 octets a record. */
const fields9 = [
  [8, 4],
  [12, 4],
  [15, 4],
  [10, 4],
  [14, 4],
  [2, 4],
  [1, 4],
  [22, 4],
  [21, 4],
  [7, 2],
  [11, 2],
  [6, 1],
  [4, 1],
  [16, 4],
  [17, 4],
] as const;
const record9 = fields9.reduce((sum, [, length]) => sum + length, 0);

function version9(flows: readonly Flow[], sourceId: number): Buffer {
  const setLength = Math.ceil((4 + record9 * flows.length) / 4) * 4;
  const datagram = Buffer.alloc(header9 + setLength);
  writeHeader9(datagram, flows.length, sourceId);
  datagram.writeUInt16BE(templateId, header9);
  datagram.writeUInt16BE(setLength, header9 + 2);
  for (const [index, flow] of flows.entries()) {
    const at = header9 + 4 + index * record9;
    datagram.writeUInt32BE(flow.src, at);
    datagram.writeUInt32BE(flow.dst, at + 4);
    datagram.writeUInt32BE(1, at + 12);
    datagram.writeUInt32BE(2, at + 16);
    datagram.writeUInt32BE(1, at + 20);
    datagram.writeUInt32BE(flow.bytes, at + 24);
    datagram.writeUInt32BE(flow.firstMs, at + 28);
    datagram.writeUInt32BE(flow.lastMs, at + 32);
    datagram.writeUInt16BE(flow.srcPort, at + 36);
    datagram.writeUInt16BE(flow.dstPort, at + 38);
    datagram[at + 40] = 0x1b;
    datagram[at + 41] = tcp;
    datagram.writeUInt32BE(64512, at + 42);
    datagram.writeUInt32BE(64513, at + 46);
  }
  return datagram;
}

function template9(sourceId: number): Buffer {
  const setLength = 4 + 4 + fields9.length * 4;
  const datagram = Buffer.alloc(header9 + setLength);
  writeHeader9(datagram, 1, sourceId);
  datagram.writeUInt16BE(setLength, header9 + 2);
  datagram.writeUInt16BE(templateId, header9 + 4);
  datagram.writeUInt16BE(fields9.length, header9 + 6);
  for (const [index, [type, length]] of fields9.entries()) {
    datagram.writeUInt16BE(type, header9 + 8 + index * 4);
    datagram.writeUInt16BE(length, header9 + 10 + index * 4);
  }
  return datagram;
}

function writeHeader9(datagram: Buffer, count: number, sourceId: number): void {
  datagram.writeUInt16BE(9, 0);
  datagram.writeUInt16BE(count, 2);
  datagram.writeUInt32BE(sourceId, 16);
}

/** The sequence of v9 counts datagrams. */
function stamp9(datagram: Buffer, sequence: number, uptimeMs: number, nowMs: number): number {
  datagram.writeUInt32BE(uptimeMs >>> 0, 4);
  datagram.writeUInt32BE(Math.floor(nowMs / 1000), 8);
  datagram.writeUInt32BE(sequence, 12);
  return (sequence + 1) >>> 0;
}

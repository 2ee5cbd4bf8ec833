// Makes datagrams of NetFlow version 5, as a router sends them.

export type Flow5 = {
  readonly src: string;
  readonly dst: string;
  readonly srcPort?: number;
  readonly dstPort?: number;
  readonly protocol?: number;
  readonly inIf?: number;
  readonly bytes: number;
  readonly packets?: number;
  /** Before the datagram left. */
  readonly endedMsAgo?: number;
};

export type Header5 = {
  /** Flows sent before. */
  readonly sequence: number;
  readonly nowMs: number;
  readonly samplingRate?: number;
  /** Each engine of a router counts its own sequence. */
  readonly engine?: number;
};

const uptimeMs = 100_000_000;

/** At most 30 flows. */
export function netflow5(flows: readonly Flow5[], { sequence, nowMs, samplingRate = 0, engine = 0 }: Header5): Buffer {
  const data = Buffer.alloc(24 + 48 * flows.length);
  data.writeUInt16BE(5, 0);
  data.writeUInt16BE(flows.length, 2);
  data.writeUInt32BE(uptimeMs, 4);
  data.writeUInt32BE(Math.floor(nowMs / 1000), 8);
  data.writeUInt32BE((nowMs % 1000) * 1_000_000, 12);
  data.writeUInt32BE(sequence % 2 ** 32, 16);
  data.writeUInt16BE(engine, 20);
  data.writeUInt16BE(samplingRate, 22);
  for (const [i, flow] of flows.entries()) {
    const at = 24 + 48 * i;
    const ended = uptimeMs - (flow.endedMsAgo ?? 0);
    writeAddress(data, flow.src, at);
    writeAddress(data, flow.dst, at + 4);
    data.writeUInt16BE(flow.inIf ?? 0, at + 12);
    data.writeUInt32BE(flow.packets ?? 1, at + 16);
    data.writeUInt32BE(flow.bytes, at + 20);
    data.writeUInt32BE(ended - 10, at + 24);
    data.writeUInt32BE(ended, at + 28);
    data.writeUInt16BE(flow.srcPort ?? 0, at + 32);
    data.writeUInt16BE(flow.dstPort ?? 0, at + 34);
    data[at + 38] = flow.protocol ?? 17;
  }
  return data;
}

function writeAddress(data: Buffer, address: string, at: number): void {
  for (const [i, part] of address.split('.').entries()) data[at + i] = Number(part);
}

// Writes a capture file of made-up packets (pcap, Ethernet) for programs that read one.

export type MadePacket = {
  readonly atMs: number;
  readonly src: Buffer;
  readonly dst: Buffer;
  /** 1 or 58 = ICMP with type and code in `dstPort`, 6 = TCP, 17 = UDP. */
  readonly protocol: number;
  readonly srcPort: number;
  readonly dstPort: number;
  readonly tcpFlags?: number;
  readonly tos?: number;
  /** Octets of the IP packet, header included: what flow exporters count. */
  readonly bytes: number;
};

export function pcap(packets: readonly MadePacket[]): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b2c3d4, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(65_535, 16);
  head.writeUInt32LE(1, 20);
  return Buffer.concat([head, ...packets.flatMap(captured)]);
}

function captured(packet: MadePacket): Buffer[] {
  const isSix = packet.src.length === 16;
  const ethernet = Buffer.alloc(14);
  ethernet.writeUInt16BE(isSix ? 0x86dd : 0x0800, 12);
  const frame = Buffer.concat([ethernet, isSix ? ipv6(packet) : ipv4(packet)]);
  const head = Buffer.alloc(16);
  head.writeUInt32LE(Math.floor(packet.atMs / 1000), 0);
  head.writeUInt32LE((packet.atMs % 1000) * 1000, 4);
  head.writeUInt32LE(frame.length, 8);
  head.writeUInt32LE(frame.length, 12);
  return [head, frame];
}

function ipv4(packet: MadePacket): Buffer {
  const data = Buffer.alloc(packet.bytes);
  data[0] = 0x45;
  data[1] = packet.tos ?? 0;
  data.writeUInt16BE(packet.bytes, 2);
  data[8] = 64;
  data[9] = packet.protocol;
  packet.src.copy(data, 12);
  packet.dst.copy(data, 16);
  writeTransport(packet, data.subarray(20));
  return data;
}

function ipv6(packet: MadePacket): Buffer {
  const data = Buffer.alloc(packet.bytes);
  data.writeUInt32BE(((6 << 28) | ((packet.tos ?? 0) << 20)) >>> 0, 0);
  data.writeUInt16BE(packet.bytes - 40, 4);
  data[6] = packet.protocol;
  data[7] = 64;
  packet.src.copy(data, 8);
  packet.dst.copy(data, 24);
  writeTransport(packet, data.subarray(40));
  return data;
}

function writeTransport({ protocol, srcPort, dstPort, tcpFlags }: MadePacket, data: Buffer): void {
  if (protocol === 1 || protocol === 58) {
    data.writeUInt16BE(dstPort, 0);
    return;
  }
  data.writeUInt16BE(srcPort, 0);
  data.writeUInt16BE(dstPort, 2);
  if (protocol === 17) data.writeUInt16BE(data.length, 4);
  else data[12] = 0x50;
  if (protocol === 6) data[13] = tcpFlags ?? 0x10;
}

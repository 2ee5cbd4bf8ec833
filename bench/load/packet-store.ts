// Requests made before a run and sent during it, one behind the other in one piece of memory.

export type PacketStore = {
  readonly data: Buffer;
  /** Packet i is octets [starts[i], starts[i + 1]) of `data`; packets of line l are [l × perLine, (l + 1) × perLine). */
  readonly starts: Uint32Array;
  readonly lines: number;
  readonly perLine: number;
  /** No packet may be sent a second time as a new one: they are records of accounting. */
  readonly once: boolean;
  /** Bytes a record adds to what its subscriber used; empty for logins. */
  readonly upBytes: Float64Array;
  readonly downBytes: Float64Array;
};

/** Which packet of which line on which socket; `identifier` is the RADIUS identifier it must carry. */
export type Place = {
  readonly line: number;
  readonly round: number;
  readonly socket: number;
  readonly identifier: number;
};

/** Writes the packet of a place at `at` of `target`; answers its length and the bytes that it reports anew. */
export type MakePacket = (
  place: Place,
  target: Buffer,
  at: number,
) => { readonly length: number; readonly up: number; readonly down: number };

export type Shape = Pick<PacketStore, 'lines' | 'perLine' | 'once'> & { readonly sockets: number };

const identifiers = 256;
const largestPacket = 512;

/**
 * Lines are dealt out to the sockets in turn. The lines of one socket share its 256 identifiers, each going round its own share, so that
 * no identifier ever stands for two outstanding requests.
 */
export function makePackets(shape: Shape, make: MakePacket): PacketStore {
  const { sockets, lines, perLine, once } = shape;
  const linesPerSocket = Math.ceil(lines / sockets);
  const share = Math.floor(identifiers / linesPerSocket);
  if (share === 0) throw new Error(`${lines} lines need more than ${sockets} source ports: one has 256 identifiers`);
  const count = lines * perLine;
  const starts = new Uint32Array(count + 1);
  const upBytes = new Float64Array(count);
  const downBytes = new Float64Array(count);
  let data = Buffer.allocUnsafeSlow(Math.max(largestPacket, count * 256));
  let end = 0;
  for (let line = 0; line < lines; line++) {
    for (let round = 0; round < perLine; round++) {
      if (end + largestPacket > data.length) data = Buffer.concat([data], data.length + count * 64 + largestPacket);
      const packet = line * perLine + round;
      const identifier = Math.floor(line / sockets) + linesPerSocket * (round % share);
      const { length, up, down } = make({ line, round, socket: line % sockets, identifier }, data, end);
      starts[packet] = end;
      upBytes[packet] = up;
      downBytes[packet] = down;
      end += length;
    }
  }
  starts[count] = end;
  return { data, starts, lines, perLine, once, upBytes, downBytes };
}

// Cuts a stream of octets into RADIUS packets by their Length field (RFC 6613 §2.6.1). What is unfinished waits in at most one packet's room.
import { headerLength, maxPacketLength } from '../wire/packet.ts';

export type Frames = {
  /** Hands over every packet that is complete now; `bad_frame` when the stream can no longer be cut. Nothing may be pushed after that. */
  push(chunk: Buffer): 'bad_frame' | null;
  /** Whether a packet has begun and not ended. */
  unfinished(): boolean;
};

/** @param onPacket is lent the memory during the call; false: no further packet is wanted. */
export function createFrames(onPacket: (data: Buffer, start: number, length: number) => boolean): Frames {
  const begun = Buffer.alloc(maxPacketLength);
  let held = 0;

  /** Octets of the packet at `start`, 0 while too few are there to tell, −1 when it cannot be one. */
  function lengthAt(data: Buffer, start: number, end: number): number {
    if (end - start < 4) return 0;
    const length = data.readUInt16BE(start + 2);
    return length < headerLength || length > maxPacketLength ? -1 : length;
  }

  /** Adds to the packet that has begun; how many octets of the chunk it took, −1 for a bad frame. */
  function complete(chunk: Buffer): number {
    let at = 0;
    while (held > 0 && at < chunk.length) {
      const length = lengthAt(begun, 0, held);
      if (length < 0) return -1;
      const wanted = (length === 0 ? 4 : length) - held;
      const taken = chunk.copy(begun, held, at, Math.min(chunk.length, at + wanted));
      held += taken;
      at += taken;
      const known = lengthAt(begun, 0, held);
      if (known < 0) return -1;
      if (known === 0 || held < known) continue;
      held = 0;
      if (!onPacket(begun, 0, known)) return chunk.length;
    }
    return at;
  }

  return {
    unfinished: () => held > 0,
    push(chunk) {
      let at = complete(chunk);
      if (at < 0) return 'bad_frame';
      while (at < chunk.length) {
        const length = lengthAt(chunk, at, chunk.length);
        if (length < 0) return 'bad_frame';
        if (length === 0 || at + length > chunk.length) {
          held = chunk.copy(begun, 0, at);
          return null;
        }
        if (!onPacket(chunk, at, length)) return null;
        at += length;
      }
      return null;
    },
  };
}

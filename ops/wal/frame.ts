// How one record lies in a segment: mark (2) | length (2) | CRC-32 of length and payload (4) | payload.
import { crc32 } from 'node:zlib';

export const frameHeader = 8;
export const maxPayload = 0xffff;

const mark = Buffer.of(0x9d, 0x4c);

export type Frame = {
  readonly payload: Buffer;
  /** Offset behind the frame. */
  readonly next: number;
};

/** Writes the frame of `payload` at `at`, where there is room for it; answers the offset behind it. */
export function writeFrame(target: Buffer, at: number, payload: Buffer): number {
  if (payload.length > maxPayload) throw new RangeError(`a record of ${payload.length} bytes does not fit a frame`);
  mark.copy(target, at);
  target.writeUInt16LE(payload.length, at + 2);
  payload.copy(target, at + frameHeader);
  target.writeUInt32LE(checksum(target, at, payload), at + 4);
  return at + frameHeader + payload.length;
}

/** The frame at `at`; 'cut' when the bytes end before it does, 'bad' when there is none. */
export function readFrame(bytes: Buffer, at: number): Frame | 'cut' | 'bad' {
  const left = bytes.length - at;
  if (left < 1 || bytes[at] !== mark[0] || (left > 1 && bytes[at + 1] !== mark[1])) return left < 1 ? 'cut' : 'bad';
  if (left < frameHeader) return 'cut';
  const next = at + frameHeader + bytes.readUInt16LE(at + 2);
  if (next > bytes.length) return 'cut';
  const payload = bytes.subarray(at + frameHeader, next);
  return checksum(bytes, at, payload) === bytes.readUInt32LE(at + 4) ? { payload, next } : 'bad';
}

/** Offset of the next place behind `at` where a whole frame lies, or −1. */
export function findFrame(bytes: Buffer, at: number): number {
  for (let found = bytes.indexOf(mark, at + 1); found >= 0; found = bytes.indexOf(mark, found + 1)) {
    if (typeof readFrame(bytes, found) === 'object') return found;
  }
  return -1;
}

function checksum(bytes: Buffer, at: number, payload: Buffer): number {
  return crc32(payload, crc32(bytes.subarray(at + 2, at + 4)));
}

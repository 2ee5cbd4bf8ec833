// Reads the records of a WAL in order from any position; damaged places are skipped and counted.
import { type FileHandle, open } from 'node:fs/promises';
import { findFrame, frameHeader, maxPayload, readFrame } from './frame.ts';
import { endOf, type Segment, segmentHeader } from './segments.ts';
import type { Wal } from './wal.ts';

export type StoredRecord = { readonly position: number; readonly payload: Buffer };

export type ReadBatch = {
  readonly records: readonly StoredRecord[];
  /** Where to read on; equal to `from` when there is nothing more. */
  readonly next: number;
  /** Bytes between `from` and `next` that hold no record and should. */
  readonly damagedBytes: number;
};

export type WalReader = {
  /** At most `limit` records at or behind `from`, which is 0 or the position of a record. */
  read(from: number, limit: number): Promise<ReadBatch>;
  close(): Promise<void>;
};

const smallestChunk = maxPayload + frameHeader;

export function createWalReader(
  wal: Pick<Wal, 'segments' | 'durable'>,
  chunkBytes: number = 4 * smallestChunk,
): WalReader {
  let opened: { file: string; handle: FileHandle } | undefined;
  const chunk = Buffer.allocUnsafe(Math.max(chunkBytes, smallestChunk));

  async function handleOf(segment: Segment): Promise<FileHandle> {
    if (opened?.file === segment.file) return opened.handle;
    await opened?.handle.close();
    opened = undefined;
    const handle = await open(segment.file, 'r');
    opened = { file: segment.file, handle };
    return handle;
  }

  return {
    async read(from, limit) {
      const segments = wal.segments();
      const durable = wal.durable();
      const index = Math.max(
        0,
        segments.findLastIndex(({ base }) => base <= from),
      );
      const segment = segments[index];
      if (!segment) return { records: [], next: from, damagedBytes: 0 };
      const following = segments[index + 1];
      const end = following ? Math.min(await endOf(segment), following.base) : durable;
      const start = Math.max(from, segment.base + segmentHeader);
      if (start >= end) return { records: [], next: following?.base ?? from, damagedBytes: 0 };

      const wanted = Math.min(chunk.length, end - start);
      const { bytesRead } = await (await handleOf(segment)).read(chunk, 0, wanted, start - segment.base);
      const found = framesOf(chunk.subarray(0, bytesRead), limit, start + bytesRead >= end);
      // The payloads outlive the chunk.
      const records = found.frames.map(({ at, payload }) => ({ position: start + at, payload: Buffer.from(payload) }));
      const next = start + found.end;
      return {
        records,
        next: next >= end && following ? following.base : next,
        damagedBytes: found.damagedBytes,
      };
    },
    async close() {
      await opened?.handle.close();
      opened = undefined;
    },
  };
}

type Found = { frames: { at: number; payload: Buffer }[]; end: number; damagedBytes: number };

/** `final`: nothing follows these bytes in the segment, so a frame that is cut is a damaged one. */
function framesOf(bytes: Buffer, limit: number, final: boolean): Found {
  const frames: Found['frames'] = [];
  let damagedBytes = 0;
  let at = 0;
  while (at < bytes.length && frames.length < limit) {
    const frame = readFrame(bytes, at);
    if (typeof frame === 'object') {
      frames.push({ at, payload: frame.payload });
      at = frame.next;
      continue;
    }
    // A cut frame continues in the next chunk, unless it claims to go on behind a whole chunk.
    if (frame === 'cut' && !final && at > 0) break;
    const found = findFrame(bytes, at);
    const next = found >= 0 ? found : final ? bytes.length : Math.max(at + 1, bytes.length - smallestChunk + 1);
    damagedBytes += next - at;
    at = next;
  }
  return { frames, end: at, damagedBytes };
}

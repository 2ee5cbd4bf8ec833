// Makes the last segment of a WAL whole again after a crash: cuts the torn tail, leaves everything that can be read.
import { open, rm } from 'node:fs/promises';
import { findFrame, readFrame } from './frame.ts';
import { checkHeader, type Segment, segmentHeader } from './segments.ts';

export type Recovered = {
  /** Position behind the last good record: where appending goes on. */
  readonly end: number;
  /** The segment held not even a header and is gone. */
  readonly removed: boolean;
  readonly cutBytes: number;
};

/**
 * The tail is what follows the last good frame: it was never acknowledged. A bad place with good frames behind it stays (the reader skips
 * and counts it): those frames may be acknowledged. What is left is synced before it counts as durable, as a killed process may not have done so.
 */
export async function recoverSegment(segment: Segment): Promise<Recovered> {
  const handle = await open(segment.file, 'r+');
  try {
    const bytes = await handle.readFile();
    if (bytes.length < segmentHeader) {
      await rm(segment.file);
      return { end: segment.base, removed: true, cutBytes: bytes.length };
    }
    checkHeader(bytes, segment.file);
    const end = endOfFrames(bytes);
    if (end < bytes.length) await handle.truncate(end);
    await handle.datasync();
    return { end: segment.base + end, removed: false, cutBytes: bytes.length - end };
  } finally {
    await handle.close();
  }
}

function endOfFrames(bytes: Buffer): number {
  let end = segmentHeader;
  for (let at = end; at >= 0; ) {
    const frame = readFrame(bytes, at);
    if (typeof frame === 'object') {
      end = frame.next;
      at = end;
    } else at = at < bytes.length ? findFrame(bytes, at) : -1;
  }
  return end;
}

// The files of one WAL: `<base position>.wal`, each beginning with a short header; positions count every byte of every segment.
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '#ops/runtime/clock.ts';

export type Segment = {
  /** Position of the first byte of its header: the position of a record is base + its offset in the file. */
  readonly base: number;
  readonly file: string;
};

const header = Buffer.from('LMWAL\u0001\r\n');
export const segmentHeader = header.length;

/** All segments, oldest first. */
export async function listSegments(folder: string): Promise<Segment[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{16}\.wal$/.test(name)).sort();
  return names.map((name) => ({ base: Number(name.slice(0, 16)), file: path.join(folder, name) }));
}

/** Creates the segment so that it is still there after a power failure. On failure nothing is left behind. */
export async function createSegment(folder: string, base: number): Promise<Segment> {
  const segment = { base, file: path.join(folder, `${String(base).padStart(16, '0')}.wal`) };
  try {
    const handle = await open(segment.file, 'w', 0o600);
    try {
      await handle.writeFile(header);
      await handle.datasync();
    } finally {
      await handle.close();
    }
    await syncFolder(folder);
  } catch (error) {
    await rm(segment.file, { force: true });
    throw error;
  }
  return segment;
}

/** The folder of a WAL, whose entry in its parent lasts too. */
export async function createFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await syncFolder(path.dirname(folder));
  await syncFolder(folder);
}

/** Position behind the last byte of the segment's file. */
export async function endOf(segment: Segment): Promise<number> {
  return segment.base + (await stat(segment.file)).size;
}

/** Deletes the segments before the last that end at or before `passed` and of which `isOld` is true. */
export async function removePassed(
  segments: readonly Segment[],
  passed: number,
  isOld: (segment: Segment) => boolean,
): Promise<Segment[]> {
  const removed: Segment[] = [];
  for (const [index, segment] of segments.entries()) {
    const next = segments[index + 1];
    if (!next || next.base > passed || !isOld(segment)) break;
    await rm(segment.file, { force: true });
    removed.push(segment);
  }
  return removed;
}

/** Instants of the monotonic clock at which the segments were last written, as far as the wall clock tells now. */
export async function lastWritten(segments: readonly Segment[], clock: Clock): Promise<Map<number, number>> {
  const [nowMs, monotonicMs] = [clock.nowMs(), clock.monotonicMs()];
  const found = new Map<number, number>();
  for (const { base, file } of segments) {
    found.set(base, monotonicMs - Math.max(0, nowMs - (await stat(file)).mtimeMs));
  }
  return found;
}

/** @throws when the file was written by a version this one cannot read. */
export function checkHeader(bytes: Buffer, file: string): void {
  if (bytes.subarray(0, 5).equals(header.subarray(0, 5)) && bytes[5] !== header[5]) {
    throw new Error(`${file} is of format ${bytes[5]}, written by a newer version of Lastmile`);
  }
}

/** The entries of the folder last: what was created or renamed in it is there after a power failure. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

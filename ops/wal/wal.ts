// A write-ahead log in a folder of its own: append with group commit, positions that only grow, segments, recovery, disk full.
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { type Clock, systemClock } from '#ops/runtime/clock.ts';
import { createGroupCommit, type GroupCommit } from './group-commit.ts';
import { lockFolder } from './lock.ts';
import { recoverSegment } from './recover.ts';
import {
  createFolder,
  createSegment,
  lastWritten,
  listSegments,
  removePassed,
  type Segment,
  segmentHeader,
} from './segments.ts';

export type WalOptions = {
  folder: string;
  segmentBytes?: number;
  segmentMs?: number;
  retentionMs?: number;
  maxQueuedBytes?: number;
  clock?: Clock;
};

export type Wal = {
  /** Name of the folder: `<node uuid>-<worker>`. */
  readonly id: string;
  readonly folder: string;
  /** Bytes of a torn tail that were cut when it was opened. */
  readonly cutBytes: number;
  /** Where the log ended when it was opened. */
  readonly openedAt: number;
  /** Resolves when it is on disk as after fdatasync: what is acknowledged then is never lost. Rejects when the record was not kept, e.g. ENOSPC. */
  append: GroupCommit['append'];
  segments(): readonly Segment[];
  /** Everything before this position is on disk. Nothing behind it may be applied: it could vanish and its position be used again. */
  durable(): number;
  /** Calls `listener` when `durable` has grown, until the returned function is called. */
  onDurable(listener: () => void): () => void;
  /** The next record lies at `position` or behind it. Answers where the log ended before. */
  skipTo(position: number): Promise<number>;
  /** Deletes segments that lie before `passed` and are older than the retention. */
  prune(passed: number): Promise<number>;
  close(): Promise<void>;
};

/** Each write does what a write and fdatasync after it do (open(2), O_DSYNC). */
const durably = constants.O_RDWR | constants.O_DSYNC;

type Writing = { segment: Segment; handle: FileHandle; sinceMs: number };

export class WalInUse extends Error {}

/**
 * Opens the folder, creating it when missing.
 * @throws {WalInUse} while another thread or process has it open.
 */
export async function openWal(options: WalOptions): Promise<Wal> {
  const { folder, segmentBytes = 64 * 1024 * 1024, segmentMs = 3_600_000, retentionMs = 24 * 3_600_000 } = options;
  const clock = options.clock ?? systemClock;
  await createFolder(folder);
  const unlock = lockFolder(folder);
  if (!unlock) throw new WalInUse(`${folder} is in use by another thread or process`);

  let segments: Segment[];
  /** By base, on the monotonic clock: a wall clock that is set makes no segment old. */
  let writtenAtMs: Map<number, number>;
  let durable = 0;
  let cutBytes = 0;
  /** The segment that appending goes on in; undefined: a new one at `durable`. */
  let resumed: Segment | undefined;
  try {
    segments = await listSegments(folder);
    writtenAtMs = await lastWritten(segments, clock);
    const last = segments.at(-1);
    if (last) {
      const recovered = await recoverSegment(last);
      if (recovered.removed) segments.pop();
      else resumed = last;
      durable = recovered.end;
      cutBytes = recovered.cutBytes;
    }
  } catch (error) {
    unlock();
    throw error;
  }
  const openedAt = durable;

  let writing: Writing | undefined;
  /** A failed write may have left bytes behind `durable` that could not be cut off yet. */
  let uncut = false;
  const listeners = new Set<() => void>();

  async function target(): Promise<Writing> {
    if (!writing && resumed) {
      writing = { segment: resumed, handle: await open(resumed.file, durably), sinceMs: clock.monotonicMs() };
    }
    const length = writing ? durable - writing.segment.base : 0;
    const old = writing !== undefined && clock.monotonicMs() - writing.sinceMs >= segmentMs;
    const full = length > segmentHeader && (old || length >= segmentBytes);
    return writing && !full ? writing : await startSegment(durable);
  }

  async function startSegment(base: number): Promise<Writing> {
    const segment = await createSegment(folder, base);
    const previous = writing;
    writing = { segment, handle: await open(segment.file, durably), sinceMs: clock.monotonicMs() };
    segments.push(segment);
    durable = base + segmentHeader;
    if (previous) writtenAtMs.set(previous.segment.base, clock.monotonicMs());
    await previous?.handle.close();
    return writing;
  }

  async function commit(bytes: Buffer): Promise<void> {
    const { segment, handle } = await target();
    const start = durable - segment.base;
    try {
      if (uncut) await handle.truncate(start);
      uncut = true;
      // On disk when it returns (`durably`): one wait instead of two.
      for (let written = 0; written < bytes.length; ) {
        const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, start + written);
        written += bytesWritten;
      }
      uncut = false;
    } catch (error) {
      // Nothing of this group was acknowledged: the file ends where it ended before, now or at the latest before the next write.
      uncut = await handle.truncate(start).then(
        () => false,
        () => true,
      );
      throw error;
    }
    durable += bytes.length;
    for (const listener of listeners) listener();
  }

  // One after the other: commits, skips and pruning all look at the same segments.
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(action: () => Promise<T>): Promise<T> => {
    const result = turn.then(action);
    turn = result.catch(() => undefined);
    return result;
  };
  const group = createGroupCommit({
    commit: (bytes) => inTurn(() => commit(bytes)),
    ...(options.maxQueuedBytes === undefined ? {} : { maxQueuedBytes: options.maxQueuedBytes }),
  });

  return {
    id: path.basename(folder),
    folder,
    cutBytes,
    openedAt,
    append: group.append,
    segments: () => segments,
    durable: () => durable,
    onDurable(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    skipTo: (position) =>
      inTurn(async () => {
        const before = durable;
        if (position > durable) await startSegment(position);
        return before;
      }),
    prune: (passed) =>
      inTurn(async () => {
        const olderThanMs = clock.monotonicMs() - retentionMs;
        const isOld = ({ base }: Segment) => (writtenAtMs.get(base) ?? Number.POSITIVE_INFINITY) <= olderThanMs;
        const removed = await removePassed(segments, passed, isOld);
        segments = segments.filter((segment) => !removed.includes(segment));
        for (const { base } of removed) writtenAtMs.delete(base);
        return removed.length;
      }),
    async close() {
      await group.drain();
      await inTurn(async () => {
        await writing?.handle.close();
        resumed = writing?.segment ?? resumed;
        writing = undefined;
        unlock();
      });
    },
  };
}

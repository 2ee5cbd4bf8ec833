// A folder of batches that wait for their store, oldest first. What `add` has taken stays until it is removed or put aside.
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { lockFolder } from '../wal/lock.ts';
import { createFolder, syncFolder } from '../wal/segments.ts';
import {
  type NewBatch,
  readBatch,
  type StoredBatch,
  type Survives,
  UnreadableBatch,
  writeBatch,
} from './batch-file.ts';

export type Spool = {
  /** On disk when it resolves; when it rejects, nothing of it is. */
  add(batch: NewBatch): Promise<StoredBatch>;
  /** All that wait, oldest first. */
  batches(): readonly StoredBatch[];
  /** The store has it. */
  remove(batch: StoredBatch): Promise<void>;
  /** The store refuses it: into `rejected/`, where it waits for an operator. */
  reject(batch: StoredBatch): Promise<void>;
  /** Of what waits. */
  bytes(): number;
  /** Instant of the oldest row that waits; undefined when nothing does. */
  oldestMs(): number | undefined;
  /** Files in `rejected/`. */
  rejected(): number;
  close(): void;
};

export class SpoolInUse extends Error {
  override name = 'SpoolInUse';
}

const named = /^(\d{12})\.batch$/;

/** @throws {SpoolInUse} while another process has the folder. `onUnreadable` hears of files that were put aside because they are no batches. */
export async function openSpool(
  folder: string,
  onUnreadable: (error: unknown) => void,
  survives: Survives = 'power',
): Promise<Spool> {
  const aside = path.join(folder, 'rejected');
  await createFolder(folder);
  await mkdir(aside, { recursive: true, mode: 0o700 });
  const unlock = lockFolder(folder);
  if (!unlock) throw new SpoolInUse(`${folder} is in use by another process`);

  /** In the order in which they came. */
  const waiting = new Set<StoredBatch>();
  let bytes = 0;
  let rejected = 0;
  let last = 0;
  let closed = false;

  async function putAside(file: string): Promise<void> {
    await rename(file, path.join(aside, path.basename(file)));
    await Promise.all([syncFolder(aside), syncFolder(folder)]);
    rejected++;
  }

  function forget(batch: StoredBatch): void {
    if (waiting.delete(batch)) bytes -= batch.bytes;
  }

  try {
    const present = (await readdir(folder)).sort();
    const before = await readdir(aside);
    rejected = before.length;
    last = Math.max(0, ...[...present, ...before].map((name) => Number(named.exec(name)?.[1] ?? 0)));
    for (const name of present) {
      const file = path.join(folder, name);
      // A draft was never taken: whoever gave it still has it.
      if (name.endsWith('.batch.new')) await rm(file, { force: true });
      if (!named.test(name)) continue;
      try {
        waiting.add(await readBatch(file));
      } catch (error) {
        if (!(error instanceof UnreadableBatch)) throw error;
        onUnreadable(error);
        await putAside(file);
      }
    }
    for (const batch of waiting) bytes += batch.bytes;
  } catch (error) {
    unlock();
    throw error;
  }

  return {
    async add(batch) {
      const file = path.join(folder, `${String(++last).padStart(12, '0')}.batch`);
      const stored = await writeBatch(file, batch, survives);
      waiting.add(stored);
      bytes += stored.bytes;
      return stored;
    },
    batches: () => [...waiting],
    async remove(batch) {
      await rm(batch.file, { force: true });
      forget(batch);
    },
    async reject(batch) {
      await putAside(batch.file);
      forget(batch);
    },
    bytes: () => bytes,
    oldestMs() {
      let oldest: number | undefined;
      for (const { oldestMs } of waiting) oldest = Math.min(oldest ?? oldestMs, oldestMs);
      return oldest;
    },
    rejected: () => rejected,
    close() {
      if (!closed) unlock();
      closed = true;
    },
  };
}

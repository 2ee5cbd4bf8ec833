// Collects frames while a commit is under way and commits them together: one write and one fdatasync for many records.
import { frameHeader, writeFrame } from './frame.ts';

export type GroupCommit = {
  /** Resolves when the record is on disk; rejects when it is not and was not taken. Every record of a group gets the same promise. */
  append(payload: Buffer): Promise<void>;
  /** Waits for everything appended so far, whatever became of it. */
  drain(): Promise<void>;
};

export type GroupCommitOptions = {
  /** Brings the bytes to disk, all or nothing. Called once at a time. */
  commit(bytes: Buffer, records: number): Promise<void>;
  /** Beyond this many collected bytes append rejects. */
  maxQueuedBytes?: number;
};

export class WalOverloaded extends Error {
  readonly code = 'WAL_OVERLOADED';
}

type Group = { bytes: Buffer; length: number; records: number; done: PromiseWithResolvers<void> };

const firstSize = 64 * 1024;

export function createGroupCommit({ commit, maxQueuedBytes = 16 * 1024 * 1024 }: GroupCommitOptions): GroupCommit {
  let collecting = newGroup(Buffer.allocUnsafe(firstSize));
  let spare: Buffer = Buffer.allocUnsafe(firstSize);
  let running: Promise<void> | undefined;

  async function work(): Promise<void> {
    // Lets everything that was received in this turn join the group.
    await new Promise(setImmediate);
    while (collecting.records > 0) {
      const group = collecting;
      collecting = newGroup(spare);
      try {
        await commit(group.bytes.subarray(0, group.length), group.records);
        group.done.resolve();
      } catch (error) {
        group.done.reject(error);
      }
      spare = group.bytes;
    }
    running = undefined;
  }

  return {
    append(payload) {
      const needed = collecting.length + frameHeader + payload.length;
      if (needed > maxQueuedBytes) return Promise.reject(new WalOverloaded('the WAL cannot keep up'));
      if (needed > collecting.bytes.length) {
        const larger = Buffer.allocUnsafe(needed * 2);
        collecting.bytes.copy(larger, 0, 0, collecting.length);
        collecting.bytes = larger;
      }
      collecting.length = writeFrame(collecting.bytes, collecting.length, payload);
      collecting.records++;
      running ??= work();
      return collecting.done.promise;
    },
    async drain() {
      while (running) await running;
    },
  };
}

function newGroup(bytes: Buffer): Group {
  const done = Promise.withResolvers<void>();
  // A caller may have gone away before its record failed: that is no unhandled rejection.
  done.promise.catch(() => undefined);
  return { bytes, length: 0, records: 0, done };
}

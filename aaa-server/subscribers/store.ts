// The files of the subscriber snapshot on the writing side: the node file and the current snapshot, swapped as a whole.
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Changes } from './changes.ts';
import {
  currentSnapshot,
  type Environment,
  openNodeForWriting,
  removeOtherSnapshots,
  setCurrentSnapshot,
} from './environment.ts';
import { openSnapshot, type Snapshot } from './snapshot.ts';

export type Store = {
  readonly folder: string;
  /** Which snapshot is current, and the decided profiles: they outlive a reload. */
  readonly node: Environment;
  /** Where changes of the snapshot are marked, of every file. */
  readonly changes: Changes | undefined;
  /** Undefined before the first complete copy. */
  current(): Snapshot | undefined;
  /** Makes `next` the current one for every reader within a second, and closes the one it replaces. */
  replace(next: Snapshot): Promise<void>;
  close(): Promise<void>;
};

export function openStore(folder: string, changes?: Changes): Store {
  const node = openNodeForWriting(folder);
  const file = currentSnapshot(node);
  removeOtherSnapshots(folder, file);
  let current = file !== '' && existsSync(path.join(folder, file)) ? openSnapshot(folder, file, 0, changes) : undefined;
  return {
    folder,
    node,
    changes,
    current: () => current,
    async replace(next) {
      const previous = current;
      await setCurrentSnapshot(node, next.file);
      current = next;
      await previous?.close();
    },
    async close() {
      await current?.close();
      current = undefined;
      await node.close();
    },
  };
}

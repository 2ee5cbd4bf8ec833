// How far a rebuild has come, on disk: one that was broken off goes on where it was, and no second one runs on this node.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { codeOf } from '#ops/runtime/errors.ts';
import { lockFolder } from '../wal/lock.ts';

export const rebuildSources = ['clickhouse', 'wal'] as const;
export type RebuildSource = (typeof rebuildSources)[number];

export type RebuildState = {
  readonly from: RebuildSource;
  /** Of the pauses in Redis. */
  readonly token: string;
  /** Partition → [WAL, position]: where its lanes go on. Known before anything is forgotten. */
  readonly positions: readonly (readonly (readonly [string, number])[])[];
  /** Partitions that count again. */
  readonly done: readonly number[];
};

export type RebuildFile = {
  read(): RebuildState | undefined;
  /** On disk when it returns. */
  write(state: RebuildState): void;
  remove(): void;
  close(): void;
};

/** @throws while another rebuild runs on this node. */
export function openRebuildFile(dataFolder: string): RebuildFile {
  const folder = path.join(dataFolder, 'ledger-rebuild');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const unlock = lockFolder(folder);
  if (!unlock) throw new Error('another rebuild runs on this node');
  const file = path.join(folder, 'state.json');
  return {
    read() {
      try {
        return JSON.parse(readFileSync(file, 'utf8')) as RebuildState;
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return undefined;
        throw new Error(`${file} cannot be read: remove it to begin anew`, { cause: error });
      }
    },
    write(state) {
      writeFileSync(`${file}.new`, JSON.stringify(state), { mode: 0o600, flush: true });
      renameSync(`${file}.new`, file);
    },
    remove: () => rmSync(file, { force: true }),
    close: unlock,
  };
}

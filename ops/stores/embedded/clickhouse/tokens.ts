// Keeps the engine's memory of insert tokens true across crashes: it is what makes a retried insert count once.
import {
  closeSync,
  fdatasyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '#ops/runtime/errors.ts';

/**
 * The engine writes a token's record to the table's deduplication log first and commits the part after it (MergeTreeSink). Killed in
 * between, it would take the retry for a duplicate and drop its rows for ever. So, before it starts, the records of parts that never
 * came to be are revoked, and a record that is torn is cut off. A part that expired meanwhile loses its record too: it may come again.
 * @returns how many records were revoked.
 */
export function mendTokens(store: string): number {
  let revoked = 0;
  for (const table of tablesIn(store)) {
    const logs = logsOf(table, readdirSync(path.join(table, LOGS)));
    const records = new Map(logs.flatMap(recordsOf));
    const parts = readdirSync(table).flatMap((name) => partOf(name) ?? []);
    const lost = [...records].filter(([, name]) => name !== undefined && !parts.some(covers(partOf(name))));
    const last = logs.at(-1);
    if (last === undefined || lost.length === 0) continue;
    append(last, lost.map(([token, name]) => `${DROP}\t${name}\t${token}\n`).join(''));
    revoked += lost.length;
  }
  return revoked;
}

export type TokenSync = {
  /** Resolves when every record written so far is on disk. */
  sync(): Promise<void>;
};

/** The engine syncs parts, but not these logs: without their records a retry after a power cut would count twice. */
export function createTokenSync(store: string): TokenSync {
  const synced = new Map<string, number>();

  async function syncFile(file: string): Promise<void> {
    const { size } = await stat(file);
    if (synced.get(file) === size) return;
    const handle = await open(file, 'r');
    try {
      await handle.datasync();
    } finally {
      await handle.close();
    }
    synced.set(file, size);
  }

  return {
    async sync() {
      const logs = await Promise.all(
        tablesIn(store).map(async (table) => logsOf(table, await readdir(path.join(table, LOGS)).catch(none)).at(-1)),
      );
      await Promise.all(logs.map((file) => (file === undefined ? undefined : syncFile(file).catch(ignoreGone))));
    },
  };
}

const LOGS = 'deduplication_logs';
const DROP = 2;

type Part = { partition: string; from: bigint; to: bigint };

/** Directories of tables with a deduplication log: `store/<3 digits>/<uuid>`. */
function tablesIn(store: string): string[] {
  return below(path.join(store, 'store')).flatMap((group) =>
    below(group).filter((table) => statSync(path.join(table, LOGS), { throwIfNoEntry: false })),
  );
}

function below(directory: string): string[] {
  try {
    return readdirSync(directory).map((name) => path.join(directory, name));
  } catch (error) {
    return none(error);
  }
}

/** In the order in which they were written. */
function logsOf(table: string, names: readonly string[]): string[] {
  const number = (name: string) => Number(/^deduplication_log_(\d+)\.txt$/.exec(name)?.[1] ?? Number.NaN);
  return names
    .filter((name) => !Number.isNaN(number(name)))
    .sort((left, right) => number(left) - number(right))
    .map((name) => path.join(table, LOGS, name));
}

/** Token and part, undefined once dropped. Cuts off a torn record: what follows it would not be read. */
function recordsOf(file: string): [token: string, part: string | undefined][] {
  const text = readFileSync(file, 'latin1');
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  if (whole.length < text.length) cut(file, whole.length);
  return whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [operation, part = '', token = ''] = line.split('\t');
      return [token, Number(operation) === DROP ? undefined : part];
    });
}

/** `<partition>_<first block>_<last block>_<level>[_<mutation>]`; directories of unfinished work begin otherwise. */
function partOf(name: string): Part | undefined {
  const [, partition, from, to] = /^([^_]+)_(\d+)_(\d+)_\d+(?:_\d+)?$/.exec(name) ?? [];
  return partition && from && to ? { partition, from: BigInt(from), to: BigInt(to) } : undefined;
}

/** Whether a part is the given one, or was merged from it and others. */
function covers(wanted: Part | undefined): (part: Part) => boolean {
  return ({ partition, from, to }) =>
    wanted !== undefined && partition === wanted.partition && from <= wanted.from && to >= wanted.to;
}

function append(file: string, text: string): void {
  const handle = openSync(file, 'a');
  try {
    writeSync(handle, text);
    fdatasyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function cut(file: string, length: number): void {
  const handle = openSync(file, 'r+');
  try {
    ftruncateSync(handle, length);
    fdatasyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** A table may be dropped while we look. */
function none(error: unknown): never[] {
  if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return [];
  throw error;
}

function ignoreGone(error: unknown): void {
  if (codeOf(error) !== 'ENOENT') throw error;
}

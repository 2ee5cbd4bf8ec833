// The function library of the ledger: every file of lua/ in one, loaded on every primary.
import { hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Cluster, type Redis } from 'ioredis';

const folder = path.join(import.meta.dirname, 'lua');
/** A library that no node has loaded for so long is removed. One that still needs it loads it again. */
const unusedMs = 7 * 86_400_000;
const prefix = 'lastmile_';
/** zset: library → when a node loaded it last */
const loadedKey = 'ledger:libraries';

/** Files share the table `ledger`; each has its own locals. */
const files = readdirSync(folder)
  .filter((file) => file.endsWith('.lua'))
  .sort()
  .map((file) => `do\n${readFileSync(path.join(folder, file), 'utf8')}end`)
  .join('\n');

/** Of this very text. Nodes of two versions that share a server, as during an upgrade, each call functions of their own. */
const version = hash('sha256', files).slice(0, 12);

export const libraryName = `${prefix}${version}`;

/** What a function of lua/ is called in the server, where names are unique among all libraries. */
export function functionName(name: string): string {
  return `${name}_${version}`;
}

export function libraryCode(): string {
  return [
    `#!lua name=${libraryName}`,
    'local ledger = {}',
    'function ledger.register(name, callback, ...)',
    `  redis.register_function{ function_name = name .. '_${version}', callback = callback, flags = { ... } }`,
    'end',
    files,
  ].join('\n');
}

export async function loadLibrary(redis: Redis | Cluster): Promise<void> {
  await Promise.all(primariesOf(redis).map((primary) => primary.function('LOAD', 'REPLACE', libraryCode())));
}

/** Removes the libraries of versions that nobody runs any more, and notes that this one is in use. */
export async function removeUnusedLibraries(redis: Redis | Cluster, nowMs: number): Promise<void> {
  await redis.zadd(loadedKey, nowMs, libraryName);
  for (const primary of primariesOf(redis)) {
    const names = namesOf(await primary.function('LIST', 'LIBRARYNAME', `${prefix}*`));
    for (const name of names.filter((other) => other !== libraryName)) {
      // One that never said so was loaded before there were versions: its time begins now.
      await redis.zadd(loadedKey, 'NX', nowMs, name);
      const loadedMs = await redis.zscore(loadedKey, name);
      if (loadedMs !== null && Number(loadedMs) <= nowMs - unusedMs) await removeLibrary(primary, name);
    }
  }
  await redis.zremrangebyscore(loadedKey, '-inf', nowMs - unusedMs);
}

async function removeLibrary(primary: Redis, name: string): Promise<void> {
  try {
    await primary.function('DELETE', name);
  } catch (error) {
    // Another node was quicker.
    if (!(error instanceof Error) || !error.message.includes('not found')) throw error;
  }
}

/** From the answer of FUNCTION LIST: fields and values of each. */
function namesOf(listed: unknown): string[] {
  return (listed as unknown[][]).flatMap((fields) => {
    const name = fields[fields.indexOf('library_name') + 1];
    return typeof name === 'string' ? [name] : [];
  });
}

function primariesOf(redis: Redis | Cluster): Redis[] {
  return redis instanceof Cluster ? redis.nodes('master') : [redis];
}

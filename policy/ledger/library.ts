// The function library of the ledger: every file of lua/ in one, loaded on every primary.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Cluster, type Redis } from 'ioredis';

export const libraryName = 'lastmile_v1';

const folder = path.join(import.meta.dirname, 'lua');
let code: string | undefined;

/** Files share the table `ledger`; each has its own locals. */
export function libraryCode(): string {
  code ??= [
    `#!lua name=${libraryName}`,
    'local ledger = {}',
    ...readdirSync(folder)
      .filter((file) => file.endsWith('.lua'))
      .sort()
      .map((file) => `do\n${readFileSync(path.join(folder, file), 'utf8')}end`),
  ].join('\n');
  return code;
}

export async function loadLibrary(redis: Redis | Cluster): Promise<void> {
  const primaries = redis instanceof Cluster ? redis.nodes('master') : [redis];
  await Promise.all(primaries.map((primary) => primary.function('LOAD', 'REPLACE', libraryCode())));
}

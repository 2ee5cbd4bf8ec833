// Finds the engine that the embedded ClickHouse needs: an optional npm package, present for some platforms only.
import { createRequire } from 'node:module';
import { messageOf } from '#ops/runtime/errors.ts';

export type ClickHouseProgram = { version: string; path: string };

/** The package is not installed, or does not exist for this platform: trying again is of no use. */
export class ClickHouseMissing extends Error {
  override name = 'ClickHouseMissing';
}

/** Without loading it, as the file `from` would find it. @throws {ClickHouseMissing} with the remedy. */
export function requireClickHouseProgram(from: string = import.meta.url): ClickHouseProgram {
  const require = createRequire(from);
  try {
    const { resolveLibchdb } = require('chdb/libchdb') as { resolveLibchdb(): { path: string } };
    const { version } = require('chdb/package.json') as { version: string };
    return { version, path: resolveLibchdb().path };
  } catch (error) {
    throw new ClickHouseMissing(
      `ClickHouse's engine is not installed (chdb: ${firstLine(error)}): run \`npm ci\` without --omit=optional ` +
        '(Linux with glibc, or macOS), or set CLICKHOUSE_URL',
      { cause: error },
    );
  }
}

function firstLine(error: unknown): string {
  return messageOf(error).split('\n')[0] ?? '';
}

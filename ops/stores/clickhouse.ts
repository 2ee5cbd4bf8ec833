// @clickhouse/client by URL with our defaults, and the check that a server is fit to keep accounting and flows.
import {
  type ClickHouseClient,
  ClickHouseError,
  ClickHouseLogLevel,
  type ClickHouseSettings,
  createClient,
} from '@clickhouse/client';
import type { ReadyCheck } from '#ops/runtime/admin.ts';
import { messageOf } from '#ops/runtime/errors.ts';

export type { ClickHouseClient };

export type CreateClickHouseOptions = {
  /** Shown in the server's logs. */
  name?: string;
  /** A statement without an answer after this long fails; it may still have run. Default 30 s. */
  requestTimeoutMs?: number;
  /** Requests at a time; more wait in the client. Default 10. */
  connections?: number;
  settings?: ClickHouseSettings;
};

/** Every insert is answered when it is on disk, and one that is sent again with its token counts once, in the views too. */
const ourSettings: ClickHouseSettings = {
  async_insert: 0,
  output_format_json_quote_64bit_integers: 1,
  date_time_input_format: 'best_effort',
  deduplicate_blocks_in_dependent_materialized_views: 1,
  max_insert_threads: '1',
  // Behind a Distributed table too.
  distributed_foreground_insert: 1,
};

/** @param url with user, password and database, e.g. `http://lastmile:secret@127.0.0.1:8123/lastmile`. Connects at the first request. */
export function createClickHouse(url: string, options: CreateClickHouseOptions = {}): ClickHouseClient {
  const { name = 'lastmile', requestTimeoutMs = 30_000, connections = 10, settings = {} } = options;
  return createClient({
    url,
    application: name,
    // Whoever calls hears of a failure, and says it once.
    log: { level: ClickHouseLogLevel.OFF },
    request_timeout: requestTimeoutMs,
    max_open_connections: connections,
    compression: { request: false, response: false },
    clickhouse_settings: { ...ourSettings, ...settings },
  });
}

/**
 * `away`: no answer, or the server is busy or short of something: the same again later may succeed.
 * `refused`: it understood and will never do this.
 */
export function clickHouseFailure(error: unknown): 'away' | 'refused' {
  return error instanceof ClickHouseError && !passing.has(Number(error.code)) ? 'refused' : 'away';
}

/**
 * States that pass: timeouts (159, 160, 209), the network (210), too many queries (202), a shutdown or a cancel (236, 394), memory
 * (241), disk (243), too many parts (252), Keeper and replicas (225, 242, 285, 319, 999), locks (473), files (76).
 */
const passing = new Set([76, 159, 160, 202, 209, 210, 225, 236, 241, 242, 243, 252, 285, 319, 394, 473, 999]);

export function clickHouseReady(client: ClickHouseClient): ReadyCheck {
  return { name: 'clickhouse', check: () => clickHouseProblem(client) };
}

const OLDEST = [24, 8] as const;

/** @returns why this server must not be used, with the remedy, or null. */
export async function clickHouseProblem(client: ClickHouseClient): Promise<string | null> {
  try {
    const { version, fsync } = await clickHouseFacts(client);
    const [major = 0, minor = 0] = version.split('.').map(Number);
    if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
      return `ClickHouse ${version} is too old: ${OLDEST.join('.')} or newer is needed`;
    }
    if (!fsync)
      return 'ClickHouse may lose acknowledged rows with the power: a table of ours lacks fsync_after_insert = 1';
    return null;
  } catch (error) {
    return `ClickHouse does not answer: ${messageOf(error)}`;
  }
}

/** `fsync` is false when a table of ours does not sync what it acknowledges. */
export async function clickHouseFacts(client: ClickHouseClient): Promise<{ version: string; fsync: boolean }> {
  const result = await client.query({
    query: `SELECT version() AS version,
      (SELECT count() FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'
        AND position(engine_full, 'fsync_after_insert = 1') = 0) AS unsynced`,
    format: 'JSONEachRow',
  });
  const [row] = await result.json<{ version: string; unsynced: string }>();
  if (!row) throw new Error('no answer to SELECT version()');
  return { version: row.version, fsync: Number(row.unsynced) === 0 };
}

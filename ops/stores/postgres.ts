// PostgreSQL clients that survive a stopping server, and the check that a server is fit to be trusted with money.
import { Pool } from 'pg';
import type { ReadyCheck } from '#ops/runtime/admin.ts';
import { messageOf } from '#ops/runtime/errors.ts';
import type { Logger } from '#ops/runtime/log.ts';

export type PostgresPoolOptions = {
  url: string;
  /** Shown in pg_stat_activity. */
  name: string;
  log: Logger;
  /** Connections at most; default 10. */
  max?: number;
  /** A statement that takes longer is cancelled; default 30 s, 0 = never. */
  statementTimeoutMs?: number;
};

export function createPostgresPool({
  url,
  name,
  log,
  max = 10,
  statementTimeoutMs = 30_000,
}: PostgresPoolOptions): Pool {
  const pool = new Pool({
    connectionString: url,
    application_name: name,
    max,
    connectionTimeoutMillis: 5000,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    ...(statementTimeoutMs > 0 ? { statement_timeout: statementTimeoutMs } : {}),
    idle_in_transaction_session_timeout: 60_000,
  });
  // A server that stops ends idle connections; without a listener that would end us too.
  pool.on('error', (error) => log.warn({ err: error }, 'idle postgresql connection lost'));
  return pool;
}

export function postgresReady(pool: Pool): ReadyCheck {
  return { name: 'postgresql', check: () => postgresProblem(pool) };
}

/** @returns why this server must not be used, with the remedy, or null. */
export async function postgresProblem(conn: Pick<Pool, 'query'>): Promise<string | null> {
  try {
    const { rows } = await conn.query<{ version: string; fsync: string; commit: string }>(
      `SELECT current_setting('server_version_num') AS version, current_setting('fsync') AS fsync,
         current_setting('synchronous_commit') AS commit`,
    );
    const [row] = rows;
    if (!row) return 'PostgreSQL does not tell its settings';
    const major = Math.floor(Number(row.version) / 10_000);
    if (major < 15) return `PostgreSQL ${major} is too old: 15 or newer is needed`;
    if (row.fsync !== 'on') return 'PostgreSQL may lose committed data: set fsync = on';
    if (!['on', 'remote_apply', 'remote_write', 'local'].includes(row.commit)) {
      return `PostgreSQL may lose committed data: set synchronous_commit = on (it is ${row.commit})`;
    }
    return null;
  } catch (error) {
    return `PostgreSQL does not answer: ${messageOf(error)}`;
  }
}

// Brings ClickHouse to the schema of this code: forward-only SQL files, each applied once and in order, with their checksums kept.
import path from 'node:path';
import { messageOf } from '#ops/runtime/errors.ts';
import { type ClickHouseClient, clickHouseFailure, createClickHouse } from '../clickhouse.ts';
import { type AppliedMigration, type Migration, pendingMigrations, readMigrations } from '../migrate.ts';
import { type Deployment, fillTemplate, statementsOf } from './template.ts';
import { applyRetention, type Retention } from './ttl.ts';

export type MigrateClickHouseOptions = {
  url: string;
  deployment: Deployment;
  retention: Retention;
  directory?: string;
};

/** The server could not be reached, or is short of something: worth trying again, unlike a refusal. */
export class ClickHouseAway extends Error {
  override name = 'ClickHouseAway';
}

/**
 * Two nodes may do it at the same time: every statement of a migration can be run again (IF NOT EXISTS and the like), also after
 * a start that was cut short, since ClickHouse has no transactions for them.
 * @returns what was done, in words. @throws {ClickHouseAway} @throws when a file fails, an applied file was changed, or the database is newer.
 */
export async function migrateClickHouse(options: MigrateClickHouseOptions): Promise<string[]> {
  const { url, deployment, retention, directory = path.join(import.meta.dirname, 'migrations') } = options;
  const migrations = readMigrations(directory);
  await createDatabase(url, deployment);
  const client = createClickHouse(url, { name: 'migrate', requestTimeoutMs });
  try {
    const pending = pendingMigrations(await appliedMigrations(client, deployment), migrations);
    for (const migration of pending) await apply(client, migration, deployment);
    const changed = await answered(() => applyRetention(client, retention, deployment));
    return [...pending.map(({ name }) => name), ...changed.map((table) => `retention of ${table}`)];
  } finally {
    await client.close();
  }
}

/** A change on a cluster waits for every replica, and on a big table any may take long. */
const requestTimeoutMs = 300_000;

async function createDatabase(url: string, { cluster }: Deployment): Promise<void> {
  const server = new URL(url);
  const database = decodeURIComponent(server.pathname.slice(1)) || 'default';
  server.pathname = '/default';
  const client = createClickHouse(server.href, { name: 'migrate', requestTimeoutMs });
  try {
    await answered(async () => {
      // Asked first: many may use a database without the right to make one.
      const result = await client.query({
        query: 'SELECT name FROM system.databases WHERE name = {database: String}',
        query_params: { database },
        format: 'JSONEachRow',
      });
      if ((await result.json()).length > 0) return;
      const name = `\`${database.replaceAll(/[`\\]/g, '\\$&')}\``;
      await client.command({
        query: fillTemplate(`CREATE DATABASE IF NOT EXISTS ${name}{{on_cluster}}`, { cluster }),
      });
    });
  } finally {
    await client.close();
  }
}

async function appliedMigrations(client: ClickHouseClient, deployment: Deployment): Promise<AppliedMigration[]> {
  return answered(async () => {
    await client.command({
      query: fillTemplate(
        `CREATE TABLE IF NOT EXISTS schema_migration{{on_cluster}} (
           version UInt32, name String, checksum String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
         ) ENGINE = {{shared_engine MergeTree}} ORDER BY version {{settings}}`,
        deployment,
      ),
    });
    // Two nodes may have written the same one.
    const result = await client.query({
      query: 'SELECT version, name, checksum FROM schema_migration ORDER BY version LIMIT 1 BY version',
      format: 'JSONEachRow',
    });
    return result.json<AppliedMigration>();
  });
}

async function apply(client: ClickHouseClient, migration: Migration, deployment: Deployment): Promise<void> {
  const { version, name, checksum, sql } = migration;
  try {
    for (const query of statementsOf(fillTemplate(sql, deployment))) await client.command({ query });
    await client.insert({
      table: 'schema_migration',
      columns: ['version', 'name', 'checksum'],
      values: [{ version, name, checksum }],
      format: 'JSONEachRow',
      clickhouse_settings: { insert_deduplication_token: name },
    });
  } catch (error) {
    if (clickHouseFailure(error) === 'away') throw away(error);
    throw new Error(`migration ${name} failed: ${messageOf(error)}`, { cause: error });
  }
}

async function answered<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (clickHouseFailure(error) === 'away') throw away(error);
    throw new Error(`ClickHouse refuses us: ${messageOf(error)}`, { cause: error });
  }
}

function away(error: unknown): ClickHouseAway {
  return new ClickHouseAway(`ClickHouse does not answer: ${messageOf(error)}`, { cause: error });
}

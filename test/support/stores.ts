// Real stores for tests: one PostgreSQL per run with a migrated template, and Redis servers that a test may kill.
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import tap from 'tap';
import { roleUrl } from '#ops/stores/urls.ts';
import { startServer, startSharedPostgres, testKeyring } from './postgres.ts';

export { testKeyring, testSecretKey } from './postgres.ts';
export { redisForTest } from './redis.ts';

export type Teardown = { teardown(handler: () => unknown): unknown };
export type TestDatabase = { ownerUrl: string; appUrl: string; feedUrl: string };

let ownServer: Promise<string> | undefined;

/** A database of its own, fully migrated, dropped at teardown. The server is the run's, or this file's own. */
export async function databaseForTest(t: Teardown): Promise<TestDatabase> {
  ownServer ??= process.env.TEST_DATABASE_URL ? Promise.resolve(process.env.TEST_DATABASE_URL) : serverOfThisFile();
  const templateUrl = await ownServer;
  const name = `t_${randomUUID().replaceAll('-', '')}`;
  await administer(templateUrl, `CREATE DATABASE ${name} TEMPLATE ${new URL(templateUrl).pathname.slice(1)}`);
  t.teardown(() => administer(templateUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
  const url = new URL(templateUrl);
  url.pathname = `/${name}`;
  return {
    ownerUrl: url.href,
    appUrl: roleUrl(url.href, 'lastmile_app', testKeyring),
    feedUrl: roleUrl(url.href, 'lastmile_feed', testKeyring),
  };
}

/** A PostgreSQL server of its own with an empty database, for tests that stop it. */
export async function startPostgres(
  t: Teardown,
): Promise<{ url: string; stop(): Promise<void>; start(): Promise<void> }> {
  const server = await startServer();
  t.teardown(server.remove);
  return { url: server.url, stop: server.stop, start: server.start };
}

async function serverOfThisFile(): Promise<string> {
  const shared = await startSharedPostgres();
  tap.teardown(shared.stop);
  return shared.environment.TEST_DATABASE_URL ?? '';
}

async function administer(url: string, sql: string): Promise<void> {
  const maintenance = new URL(url);
  maintenance.pathname = '/postgres';
  const client = new Client({ connectionString: maintenance.href });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

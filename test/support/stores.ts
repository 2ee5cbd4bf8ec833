// Real stores for tests: one PostgreSQL per run with a migrated template, and Redis servers that a test may kill.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import tap from 'tap';
import { createKeyring } from '#ops/runtime/keyring.ts';
import { openDataFolder } from '#ops/stores/data-folder.ts';
import { createEmbeddedPostgres } from '#ops/stores/embedded/postgres.ts';
import { migrate } from '#ops/stores/migrate.ts';
import { roleUrl } from '#ops/stores/urls.ts';
import { onExit } from './exit.ts';

export { redisForTest } from './redis.ts';

export type Teardown = { teardown(handler: () => unknown): unknown };
export type TestDatabase = { ownerUrl: string; appUrl: string; feedUrl: string };

/** The master secret that the databases of tests were migrated with. */
export const testSecretKey = 'a secret of the tests only';
export const testKeyring = createKeyring([testSecretKey]);

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

/** For test/run.ts: the server that all files share by `environment`; not durable, so a readiness check refuses it. */
export async function startSharedPostgres(): Promise<{ environment: Record<string, string>; stop(): Promise<void> }> {
  const server = await startServer({ fsync: 'off', full_page_writes: 'off', max_connections: '200' });
  try {
    await migrate({ databaseUrl: server.url, keyring: testKeyring });
  } catch (error) {
    await server.remove();
    throw error;
  }
  return { environment: { TEST_DATABASE_URL: server.url }, stop: server.remove };
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

async function startServer(parameters: Readonly<Record<string, string>> = {}) {
  const folder = openDataFolder(mkdtempSync(path.join(tmpdir(), 'lastmile-postgres-')));
  const server = createEmbeddedPostgres({
    folder,
    parameters,
    say: () => {},
  });
  // A run that is cut short must not leave servers behind.
  const forget = onExit(() => {
    server.abandon();
    rmSync(folder.path, { recursive: true, force: true });
  });
  await server.start();
  return {
    url: server.url(),
    start: server.start,
    stop: server.stop,
    remove: async () => {
      await server.stop();
      forget();
      rmSync(folder.path, { recursive: true, force: true });
    },
  };
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

// PostgreSQL servers of tests: the run's shared one with its migrated template, and servers of their own. Knows nothing of tap.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createKeyring } from '#ops/runtime/keyring.ts';
import { openDataFolder } from '#ops/stores/data-folder.ts';
import { createEmbeddedPostgres } from '#ops/stores/embedded/postgres.ts';
import { migrate } from '#ops/stores/migrate.ts';
import { onExit } from './exit.ts';

/** The master secret that the databases of tests were migrated with. */
export const testSecretKey = 'a secret of the tests only';
export const testKeyring = createKeyring([testSecretKey]);

/** The server that all files of a run share by `environment`; not durable, so a readiness check refuses it. */
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

/** @param parent where its data lies, in a folder of its own */
export async function startServer(parameters: Readonly<Record<string, string>> = {}, parent = tmpdir()) {
  const folder = openDataFolder(mkdtempSync(path.join(parent, 'lastmile-postgres-')));
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

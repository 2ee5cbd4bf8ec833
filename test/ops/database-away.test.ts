// `npm start` while the PostgreSQL of DATABASE_URL is away: the edge serves, the control plane follows.
import path from 'node:path';
import { Client } from 'pg';
import t from 'tap';
import { startPostgres, testSecretKey } from '#test/support/stores.ts';
import { until } from '#test/support/wait.ts';
import { launch, settingsFor, temporaryFolder } from './launch.ts';

t.setTimeout(240_000);

t.test('logins are served at once, migrations and the API come when the database is back', async (t) => {
  const postgres = await startPostgres(t);
  await postgres.stop();
  const settings: Record<string, string> = {
    ...(await settingsFor(path.join(temporaryFolder(t), 'data'))),
    DATABASE_URL: postgres.url,
    LASTMILE_SECRET_KEY: testSecretKey,
  };
  const up = launch(t, settings);
  const serves = async (port: string | undefined) => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
  await up.printed('logins are served meanwhile');
  await until(() => serves(settings.AAA_ADMIN_PORT), 'the edge serves', 10_000);
  await t.rejects(serves(settings.HTTP_PORT));

  await postgres.start();
  await up.printed('Ctrl-C stops everything');
  t.ok(await serves(settings.HTTP_PORT));
  t.notMatch(up.output(), postgres.url, 'no secret is printed');
  const client = new Client({ connectionString: postgres.url });
  await client.connect();
  t.ok((await client.query('SELECT FROM schema_migration')).rowCount);
  await client.end();
  up.child.kill('SIGTERM');
  t.equal(await up.ended, 0);
});

t.test('logins are served while another node has the database to itself', async (t) => {
  const postgres = await startPostgres(t);
  const other = new Client({ connectionString: postgres.url });
  await other.connect();
  // The lock under which migrations run.
  await other.query('SELECT pg_advisory_lock(4915110512)');
  const settings: Record<string, string> = {
    ...(await settingsFor(path.join(temporaryFolder(t), 'data'))),
    DATABASE_URL: postgres.url,
    LASTMILE_SECRET_KEY: testSecretKey,
  };
  const up = launch(t, settings);
  await up.printed('preparing the database takes long; logins are served meanwhile');
  const edge = `http://127.0.0.1:${settings.AAA_ADMIN_PORT}/readyz`;
  await until(async () => (await fetch(edge)).ok, 'the edge serves', 10_000);
  await other.end();
  await up.printed('Ctrl-C stops everything');
  up.child.kill('SIGTERM');
  t.equal(await up.ended, 0);
});

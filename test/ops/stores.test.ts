// The schema's migrations, the clients of the stores, the data folder and the doctor.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Cluster, Redis } from 'ioredis';
import { Client } from 'pg';
import t from 'tap';
import { createKeyring } from '#ops/runtime/keyring.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { openDataFolder, secretKeysOf } from '#ops/stores/data-folder.ts';
import { migrate } from '#ops/stores/migrate.ts';
import { createPostgresPool, postgresProblem } from '#ops/stores/postgres.ts';
import { connectRedis, redisProblem } from '#ops/stores/redis.ts';
import { roleUrl } from '#ops/stores/urls.ts';
import { redisForTest, startPostgres, testKeyring } from '#test/support/stores.ts';
import { until } from '#test/support/wait.ts';
import { repository, settingsFor, temporaryFolder } from './launch.ts';

t.setTimeout(240_000);

const migrations = path.join(repository, 'ops/stores/migrations');
const names = readdirSync(migrations).filter((name) => name.endsWith('.sql'));
const log = createLogger('test', 'silent');

t.test('migrations', async (t) => {
  const { url, stop, start } = await startPostgres(t);
  const directory = path.join(temporaryFolder(t), 'migrations');
  cpSync(migrations, directory, { recursive: true });
  const options = { databaseUrl: url, keyring: testKeyring, directory };

  await t.test('two migrators at once apply each file once', async (t) => {
    const applied = await Promise.all([migrate(options), migrate(options), migrate(options)]);
    t.same(applied.flat(), names);
    t.same(await migrate(options), [], 'and again applies nothing');
  });

  await t.test('the login roles sign in with passwords that follow the key ring', async (t) => {
    const signIn = async (keyring = testKeyring) => {
      for (const role of ['lastmile_app', 'lastmile_feed'] as const) {
        const client = new Client({ connectionString: roleUrl(url, role, keyring) });
        await client.connect();
        t.equal((await client.query('SELECT current_user')).rows[0].current_user, role);
        await client.end();
      }
    };
    await signIn();
    const rotated = createKeyring(['new', 'old']);
    await migrate({ ...options, keyring: rotated });
    await t.rejects(signIn(), { code: '28P01' });
    await signIn(rotated);
  });

  await t.test('a file that fails leaves nothing of itself and of those after it', async (t) => {
    const next = String(names.length + 1).padStart(4, '0');
    const after = String(names.length + 2).padStart(4, '0');
    writeFileSync(path.join(directory, `${next}_half.sql`), 'CREATE TABLE half (id int); SELECT * FROM nowhere;');
    writeFileSync(path.join(directory, `${after}_whole.sql`), 'CREATE TABLE whole (id int);');
    await t.rejects(
      migrate(options),
      new RegExp(`migration ${next}_half.sql failed: relation "nowhere" does not exist`),
    );
    const client = new Client({ connectionString: url });
    await client.connect();
    t.teardown(() => client.end());
    const { rows } = await client.query(`SELECT to_regclass('half') AS half, to_regclass('whole') AS whole`);
    t.same(rows, [{ half: null, whole: null }]);
    writeFileSync(path.join(directory, `${next}_half.sql`), 'CREATE TABLE half (id int);');
    t.same(await migrate(options), [`${next}_half.sql`, `${after}_whole.sql`]);

    await t.rejects(migrate({ ...options, directory: migrations }), /the database has migration .*_half.sql.*newer/);
    writeFileSync(path.join(directory, `${next}_half.sql`), 'CREATE TABLE half (id bigint);');
    await t.rejects(migrate(options), /_half.sql was changed after it was applied/);
  });

  await t.test('a table in use holds nobody up: a migration lets go, tries again, and says who has it', async (t) => {
    const used = new Client({ connectionString: url, application_name: 'a long report' });
    await used.connect();
    t.teardown(() => used.end());
    await used.query('BEGIN; SELECT * FROM whole');
    const file = `${String(names.length + 3).padStart(4, '0')}_wider.sql`;
    writeFileSync(path.join(directory, file), 'ALTER TABLE whole ADD COLUMN note text;');
    const half = `${String(names.length + 1).padStart(4, '0')}_half.sql`;
    writeFileSync(path.join(directory, half), 'CREATE TABLE half (id int);');
    const patient = { ...options, lockTimeoutMs: 50 };
    await t.rejects(
      migrate({ ...patient, lockTries: 2 }),
      new RegExp(`migration ${file} waited 2 times 50 ms in vain.*\\(a long report\\)`),
    );
    await used.query('SELECT * FROM whole');
    const waiting = migrate({ ...patient, lockTries: 100 });
    await used.query('COMMIT');
    t.same(await waiting, [file]);
  });

  await t.test('a number that is missing or doubled is refused', async (t) => {
    writeFileSync(path.join(directory, '0900_gap.sql'), 'SELECT 1;');
    await t.rejects(migrate(options), /0900_gap.sql should be number/);
    rmSync(path.join(directory, '0900_gap.sql'));
  });

  await t.test('a server that stops neither ends the pool nor looks like a refusal', async (t) => {
    const pool = createPostgresPool({ url, name: 'test', log });
    t.teardown(() => pool.end());
    t.equal(await postgresProblem(pool), null);
    await stop();
    t.match(await postgresProblem(pool), /PostgreSQL does not answer/);
    await t.rejects(migrate(options), { name: 'DatabaseAway', message: /PostgreSQL does not answer/ });
    await start();
    t.equal(await postgresProblem(pool), null);
    await pool.query('ALTER SYSTEM SET synchronous_commit = off');
    await pool.query('SELECT pg_reload_conf()');
    await until(
      async () => /synchronous_commit = on/.test((await postgresProblem(pool)) ?? ''),
      'lost durability is told',
    );
  });
});

t.test('redis clients', async (t) => {
  await t.test('a single server: commands fail at once while it is away, and work when it is back', async (t) => {
    const server = await redisForTest(t);
    const problems: string[] = [];
    const client = await connectRedis({
      url: server.url,
      name: 'test',
      onProblem: (problem) => problems.push(problem),
    });
    t.teardown(() => client.disconnect());
    t.equal(await redisProblem(client), null);
    await server.kill9();
    const from = performance.now();
    await t.rejects(client.set('a', '1'));
    t.ok(performance.now() - from < 1000);
    t.match(await redisProblem(client), /Redis does not answer/);
    await until(() => problems.some((problem) => problem.includes('ECONNREFUSED')), 'the reason is told');
    await server.start();
    await until(async () => (await client.set('a', '2')) === 'OK', 'it works again');
  });

  await t.test('what is asked in one turn is read by Redis together, also behind a reconnect', async (t) => {
    const server = await redisForTest(t);
    const client = await connectRedis({ url: server.url, name: 'test' });
    t.teardown(() => client.disconnect());
    const operator = new Redis(server.port, '127.0.0.1');
    operator.on('error', () => {});
    t.teardown(() => operator.disconnect());
    const reads = async () => Number(/total_reads_processed:(\d+)/.exec(await operator.info('stats'))?.[1]);
    const readsOfATurn = async () => {
      const before = await reads();
      const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => client.set(`key ${i}`, i)));
      t.equal(answers.filter((answer) => answer === 'OK').length, 100);
      return (await reads()) - before;
    };
    t.ok((await readsOfATurn()) < 10);
    await server.kill9();
    await server.start();
    await until(async () => (await client.ping().catch(() => '')) === 'PONG', 'it is connected again');
    t.ok((await readsOfATurn()) < 10);
  });

  await t.test('a primary that became a replica is left once, however many commands it refuses', async (t) => {
    const server = await redisForTest(t);
    const warnings: string[] = [];
    const note = ({ name }: Error) => warnings.push(name);
    process.on('warning', note);
    t.teardown(() => process.off('warning', note));
    const operator = new Redis(server.port, '127.0.0.1');
    t.teardown(() => operator.disconnect());
    const client = await connectRedis({ url: server.url, name: 'test' });
    t.teardown(() => client.disconnect());
    const connections = async () => Number(/total_connections_received:(\d+)/.exec(await operator.info('stats'))?.[1]);
    const before = await connections();
    await operator.replicaof('127.0.0.1', '1');
    const keys = Array.from({ length: 100 }, (_, i) => `key ${i}`);
    const answers = await Promise.allSettled(keys.map((key) => client.set(key, '1')));
    t.ok(answers.every((answer) => answer.status === 'rejected' && /READONLY/.test(String(answer.reason))));
    await until(async () => (await connections()) > before, 'another connection is made');
    await operator.replicaof('NO', 'ONE');
    await until(async () => (await client.set('a', '2').catch(() => undefined)) === 'OK', 'it works again');
    t.strictSame(warnings, []);
  });

  await t.test('a server that cannot keep what it acknowledged is not fit', async (t) => {
    const server = await redisForTest(t);
    const client = await connectRedis({ url: server.url, name: 'test' });
    t.teardown(() => client.disconnect());
    for (const [name, good, lax] of [
      ['appendfsync', 'always', 'everysec'],
      ['maxmemory-policy', 'noeviction', 'allkeys-lru'],
    ] as const) {
      await client.config('SET', name, lax);
      t.match(await redisProblem(client), new RegExp(`set ${name} ${good} \\(it is ${lax}\\)`));
      await client.config('SET', name, good);
    }
    await client.config('SET', 'appendonly', 'no');
    t.match(await redisProblem(client), /set appendonly yes/);
  });

  await t.test('a cluster is recognised, and every primary is checked', async (t) => {
    const server = await redisForTest(t, { cluster: true });
    const client = await connectRedis({ url: server.url, name: 'test' });
    t.teardown(() => client.disconnect());
    t.ok(client instanceof Cluster);
    const keys = ['a', 'b', 'c', 'd', 'e', 'f'];
    t.same(
      await Promise.all(keys.map((key) => client.set(key, key))),
      keys.map(() => 'OK'),
    );
    t.equal(await redisProblem(client), null);
    const third = await connectRedis({ url: server.nodes[2]!.url, name: 'test' });
    t.teardown(() => third.disconnect());
    const nodes = third instanceof Cluster ? third.nodes('master') : [];
    t.equal(nodes.length, 3);
    await nodes.find(({ options }) => options.port === server.nodes[2]!.port)?.config('SET', 'appendfsync', 'no');
    t.match(await redisProblem(client), /set appendfsync always/);
  });

  await t.test('the attempts end when they are no longer wanted', async (t) => {
    const attempt = connectRedis({ url: 'redis://127.0.0.1:1', name: 'test', signal: AbortSignal.timeout(200) });
    await t.rejects(attempt, { name: /AbortError|TimeoutError/ });
  });
});

t.test('the data folder', async (t) => {
  const location = path.join(temporaryFolder(t), 'data');
  const folder = openDataFolder(location);
  t.equal(statSync(location).mode & 0o777, 0o700);
  t.equal(openDataFolder(location).uuid, folder.uuid, 'keeps its uuid');
  chmodSync(location, 0o775);
  openDataFolder(location);
  t.equal(statSync(location).mode & 0o777, 0o710, 'closes itself to others');
  const keys = secretKeysOf(folder);
  t.same(secretKeysOf(folder), keys, 'keeps its key');
  t.equal(statSync(path.join(location, 'secret-key')).mode & 0o777, 0o600);
  t.ok(Buffer.from(keys[0] ?? '', 'base64url').length >= 32);

  await t.test('the doctor finds what must be mended', async (t) => {
    const settings = await settingsFor(location);
    const doctor = (environment: Record<string, string> = {}) =>
      spawnSync(process.execPath, ['ops/run.mjs', 'ops/doctor.ts'], {
        cwd: repository,
        encoding: 'utf8',
        env: {
          PATH: process.env.PATH,
          ...settings,
          RADIUS_AUTH_PORT: settings.HTTP_PORT,
          RADIUS_ACCT_PORT: settings.AAA_ADMIN_PORT,
          ...environment,
        },
      });
    const healthy = doctor();
    t.equal(healthy.status, 0, healthy.stdout);
    t.match(healthy.stdout, /^ok {4}data folder: /m);
    t.match(doctor({ HTTP_PORT: 'x' }).stdout, /^BAD {3}settings: HTTP_PORT is "x"/m);

    chmodSync(path.join(location, 'secret-key'), 0o644);
    const away = doctor({ REDIS_URL: 'redis://127.0.0.1:1', DATABASE_URL: 'postgresql://127.0.0.1:1/x' });
    t.equal(away.status, 1);
    t.match(away.stdout, /secret-key can be read by others. Mend: chmod 600/);
    t.match(away.stdout, /^BAD {3}Redis: does not answer: .*ECONNREFUSED/m);
    t.match(away.stdout, /^BAD {3}PostgreSQL: does not answer: .*ECONNREFUSED/m);
  });
});

// The embedded stores against everything a machine can hold ready for them: users, closed folders, taken ports, old data.
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { Client } from 'pg';
import t from 'tap';
import { type DataFolder, openDataFolder } from '#ops/stores/data-folder.ts';
import { userCan } from '#ops/stores/embedded/os-user.ts';
import { freePort } from '#ops/stores/embedded/ports.ts';
import { createEmbeddedPostgres } from '#ops/stores/embedded/postgres.ts';
import { findPostgresBinaries, reachableBinaries } from '#ops/stores/embedded/postgres-binaries.ts';
import { dataDirectory, postgresRecord } from '#ops/stores/embedded/postgres-place.ts';
import { createEmbeddedRedis } from '#ops/stores/embedded/redis.ts';
import { findRedisProgram, requireRedisProgram } from '#ops/stores/embedded/redis-program.ts';
import type { EmbeddedStore } from '#ops/stores/embedded/store.ts';
import type { Teardown } from '#test/support/stores.ts';
import { launch, repository, settingsFor, temporaryFolder } from './launch.ts';

t.setTimeout(240_000);

const isRoot = process.getuid?.() === 0;
const rootOnly = { skip: isRoot ? false : 'needs root, to become another user' };
const nobody = { name: 'nobody', uid: 65534, gid: 65534 };

function postgresIn(t: Teardown, folder: DataFolder, port?: number): EmbeddedStore & { said: string[] } {
  const said: string[] = [];
  const store = createEmbeddedPostgres({ folder, port, parameters: { fsync: 'off' }, say: (line) => said.push(line) });
  t.teardown(store.stop);
  return { ...store, said };
}

function redisIn(t: Teardown, folder: DataFolder, port?: number): EmbeddedStore & { said: string[] } {
  const said: string[] = [];
  const store = createEmbeddedRedis({ folder, port, mayInstall: false, say: (line) => said.push(line) });
  t.teardown(store.stop);
  return { ...store, said };
}

async function answer(url: string, sql: string): Promise<unknown> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows[0]?.[0];
  } finally {
    await client.end();
  }
}

/** Another program on a port. */
async function occupy(t: Teardown, port: number): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  t.teardown(() => new Promise((resolve) => server.close(resolve)));
}

t.test('postgresql in a data folder', async (t) => {
  const folder = openDataFolder(path.join(temporaryFolder(t), 'data'));
  const store = postgresIn(t, folder);
  await store.start();
  const url = store.url();

  await t.test('serves on loopback only, with a password, without a unix socket', async (t) => {
    t.equal(await answer(url, 'SHOW listen_addresses'), '127.0.0.1');
    t.equal(await answer(url, 'SHOW unix_socket_directories'), '');
    const wrong = new URL(url);
    wrong.password = 'guess';
    await t.rejects(answer(wrong.href, 'SELECT 1'), { code: '28P01' });
    t.equal(statSync(path.join(folder.path, 'postgres.json')).mode & 0o777, 0o600);
    if (isRoot) t.equal(statSync(folder.path).mode & 0o777, 0o710, "only the server's group may pass through");
  });

  await t.test('a port that another program took is left to it', async (t) => {
    await store.stop();
    await occupy(t, Number(new URL(url).port));
    const moved = postgresIn(t, folder);
    await moved.start();
    t.not(moved.url(), url);
    t.match(moved.said.join('\n'), /is in use by another program: PostgreSQL moves to/);
    await moved.stop();
  });

  await t.test('a port that was set and is taken is an error with a remedy', async (t) => {
    const port = await freePort();
    await occupy(t, port);
    await t.rejects(postgresIn(t, folder, port).start(), {
      message: `port ${port} of PostgreSQL (EMBEDDED_POSTGRES_PORT) is in use by another program: stop it, or set another port`,
    });
  });

  await t.test('data of a newer or an older major version is refused untouched', async (t) => {
    const file = path.join(folder.path, 'postgres', 'PG_VERSION');
    const original = readFileSync(file, 'utf8');
    writeFileSync(file, '99\n');
    await t.rejects(postgresIn(t, folder).start(), /was made by PostgreSQL 99, newer than the 18/);
    writeFileSync(file, '14\n');
    await t.rejects(postgresIn(t, folder).start(), /was made by PostgreSQL 14, and this installation brings 18/);
    writeFileSync(file, original);
    const again = postgresIn(t, folder);
    await again.start();
    t.equal(await answer(again.url(), 'SELECT 1'), 1);
    await again.stop();
  });

  await t.test('data without its record, or a record without its data, is refused', async (t) => {
    const record = readFileSync(path.join(folder.path, 'postgres.json'), 'utf8');
    rmSync(path.join(folder.path, 'postgres.json'));
    await t.rejects(postgresIn(t, folder).start(), /postgres.json of the data folder is missing/);
    writeFileSync(path.join(folder.path, 'postgres.json'), record.replace('"postgres"', '"elsewhere"'));
    await t.rejects(postgresIn(t, folder).start(), /elsewhere.*restore it from a backup/);
  });
});

t.test('below a folder that its user cannot pass, postgresql lies in /var/lib/lastmile', rootOnly, async (t) => {
  const closed = temporaryFolder(t, 0o700);
  const folder = openDataFolder(path.join(closed, 'data'));
  const home = `/var/lib/lastmile/${folder.uuid}`;
  t.teardown(() => rmSync(home, { recursive: true, force: true }));
  const first = postgresIn(t, folder);
  await first.start();
  await answer(first.url(), 'CREATE TABLE kept AS SELECT 42 AS number');
  await first.stop();
  t.equal(dataDirectory(folder, postgresRecord(folder)!), `${home}/postgres`);
  t.notOk(existsSync(path.join(folder.path, 'postgres')));
  const second = postgresIn(t, folder);
  await second.start();
  t.equal(await answer(second.url(), 'SELECT number FROM kept'), 42);

  await t.test('and programs that the user cannot reach are copied there', async (t) => {
    const found = findPostgresBinaries();
    const hidden = path.join(closed, 'native');
    mkdirSync(hidden);
    const unreachable = { ...found, directory: found.directory, postgres: path.join(hidden, 'postgres') };
    writeFileSync(unreachable.postgres, '#!/bin/sh\n', { mode: 0o755 });
    const copied = reachableBinaries(unreachable, nobody, () => home);
    t.equal(copied.directory, `${home}/postgresql-${found.version}`);
    t.ok(userCan(nobody, '-x', copied.initdb));
    t.same(
      reachableBinaries(unreachable, nobody, () => home),
      copied,
      'copied once',
    );
  });
});

const reachable =
  isRoot && userCan(nobody, '-r', path.join(repository, 'package.json')) && userCan(nobody, '-x', process.execPath);
const asNobody = { skip: reachable ? false : isRoot ? 'the checkout cannot be read by nobody' : rootOnly.skip };

t.test('npm start works for a user without any right', asNobody, async (t) => {
  const folder = temporaryFolder(t);
  chownSync(folder, nobody.uid, nobody.gid);
  const settings = await settingsFor(path.join(folder, 'data'));
  const up = launch(t, settings, { uid: nobody.uid, gid: nobody.gid });
  await up.printed('Ctrl-C stops everything');
  t.equal(statSync(path.join(folder, 'data')).mode & 0o777, 0o700);
  t.equal(statSync(path.join(folder, 'data', 'postgres')).uid, nobody.uid);
  up.child.kill('SIGINT');
  t.equal(await up.ended, 0);
});

t.test('redis', async (t) => {
  const folder = openDataFolder(path.join(temporaryFolder(t), 'data'));

  await t.test('a port that was set and is taken is an error with a remedy', async (t) => {
    const port = await freePort();
    await occupy(t, port);
    await t.rejects(redisIn(t, folder, port).start(), {
      message: `port ${port} of Redis (EMBEDDED_REDIS_PORT) is in use by another program: stop it, or set another port`,
    });
  });

  await t.test('the end of a damaged append-only file is told from its log', async (t) => {
    const store = redisIn(t, folder);
    await store.start();
    await store.stop();
    const manifest = path.join(folder.path, 'redis', 'appendonlydir', 'appendonly.aof.manifest');
    writeFileSync(manifest, 'nonsense\n');
    await t.rejects(redisIn(t, folder).start(), /Redis ended \(exit code 1\); its log:[\s\S]*manifest/);
  });

  await t.test('missing or too old: the one command is told', async (t) => {
    const programs = temporaryFolder(t);
    t.throws(
      () => requireRedisProgram(() => {}, false, [programs]),
      /not installed: run `.*redis.*`, or set REDIS_URL/,
    );
    const old = path.join(programs, 'redis-server');
    writeFileSync(old, '#!/bin/sh\necho "Redis server v=6.0.16 sha=0"\n');
    chmodSync(old, 0o755);
    t.throws(() => requireRedisProgram(() => {}, false, [programs]), /is version 6.0.16, but 7.0 or newer is needed/);
    writeFileSync(path.join(programs, 'valkey-server'), '#!/bin/sh\necho "Valkey server v=8.1.0 sha=0"\n', {
      mode: 0o755,
    });
    t.match(findRedisProgram([programs]).found, { name: 'valkey-server', version: '8.1.0' });
  });
});

// The embedded ClickHouse as a store of a data folder: its port, password, orphans, and a machine without its engine.
import { readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import t from 'tap';
import { readSettings } from '#ops/runtime/settings.ts';
import type { DataFolder } from '#ops/stores/data-folder.ts';
import { openDataFolder, readRecord } from '#ops/stores/data-folder.ts';
import { requireClickHouseProgram } from '#ops/stores/embedded/clickhouse/program.ts';
import { type ClickHouseRecord, createEmbeddedClickHouse } from '#ops/stores/embedded/clickhouse.ts';
import { freePort } from '#ops/stores/embedded/ports.ts';
import { processesIn } from '#ops/stores/embedded/processes.ts';
import { startClickHouse as startBeside } from '#ops/up/clickhouse.ts';
import { settings as schema } from '#ops/up/settings.ts';
import { startClickHouse } from '#test/support/clickhouse.ts';
import type { Teardown } from '#test/support/stores.ts';
import { until } from '#test/support/wait.ts';
import { temporaryFolder } from '../launch.ts';

t.setTimeout(240_000);

function storeIn(t: Teardown, folder: DataFolder, port?: number) {
  const said: string[] = [];
  const store = createEmbeddedClickHouse({ folder, port, memoryMb: 1024, say: (line) => said.push(line) });
  t.teardown(store.stop);
  return { ...store, said };
}

async function occupy(t: Teardown, port: number): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  t.teardown(() => new Promise((resolve) => server.close(resolve)));
}

const answerOf = async (url: string) => {
  const { origin, username, password } = new URL(url);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  return (await fetch(`${origin}/?query=SELECT+1`, { headers: { authorization } })).text();
};

t.test('in a data folder', async (t) => {
  const folder = openDataFolder(path.join(temporaryFolder(t), 'data'));
  const directory = path.join(folder.path, 'clickhouse');
  const store = storeIn(t, folder);

  await t.test("its URL is known before it serves, and its secrets are the owner's alone", async (t) => {
    const url = await store.prepare();
    await store.start();
    t.equal(store.url(), url);
    t.equal(await answerOf(url), '1\n');
    for (const file of ['clickhouse.json', 'clickhouse/server.json', 'clickhouse/engine.xml']) {
      t.equal(statSync(path.join(folder.path, file)).mode & 0o777, 0o600, file);
    }
  });

  await t.test('one that an unclean stop left running is ended, and its port and password are kept', async (t) => {
    const before = readRecord<ClickHouseRecord>(folder, 'clickhouse');
    const [orphan] = processesIn(directory, ['node']);
    const next = storeIn(t, folder);
    t.equal(await next.prepare(), store.url(), 'the orphan holds the port for its successor');
    await next.start();
    t.match(next.said.join('\n'), `stopping the ClickHouse that an unclean stop left running (process ${orphan?.pid})`);
    t.same(readRecord(folder, 'clickhouse'), before);
    t.not(processesIn(directory, ['node'])[0]?.pid, orphan?.pid);
    t.equal(await answerOf(next.url()), '1\n');
    await next.stop();
    t.same(processesIn(directory, ['node']), []);
  });

  await t.test('a port that another program took is left to it, and one that was set is asked for', async (t) => {
    const { port } = readRecord<ClickHouseRecord>(folder, 'clickhouse')!;
    await occupy(t, port);
    const moved = storeIn(t, folder);
    t.not(new URL(await moved.prepare()).port, String(port));
    t.match(moved.said.join('\n'), /is in use by another program: ClickHouse moves to/);
    const set = await freePort();
    await occupy(t, set);
    await t.rejects(storeIn(t, folder, set).start(), /EMBEDDED_CLICKHOUSE_PORT\) is in use by another program/);
  });

  await t.test('abandoned, it ends by itself', async (t) => {
    const last = storeIn(t, folder);
    await last.start();
    last.abandon();
    await until(() => processesIn(directory, ['node']).length === 0, 'it has ended', 30_000);
    t.match(readFileSync(path.join(folder.path, 'logs', 'clickhouse.log'), 'utf8'), /stopped\n$/);
  });
});

t.test('beside the stack', async (t) => {
  const settingsOf = (environment: Record<string, string>) => readSettings(schema, environment);

  await t.test('a server by URL is migrated as soon as it answers', async (t) => {
    const store = await startClickHouse(t, { migrated: false });
    await store.stop();
    const ended = new AbortController();
    t.teardown(() => ended.abort());
    const said: string[] = [];
    const url = await startBeside({
      settings: settingsOf({ CLICKHOUSE_URL: store.url }),
      folder: store.folder,
      say: (line) => said.push(line),
      keep: async () => {
        t.fail('nothing is to be started');
      },
      signal: ended.signal,
      retryMs: 50,
    });
    t.equal(url, store.url, 'handed out while it is away');
    await until(() => said.some((line) => /does not answer: .*trying again/.test(line)), 'it is told', 20_000);
    t.equal(said.length, 1, 'once');
    await store.restart();
    await until(() => said.some((line) => line.includes('0002_flows.sql')), 'it is migrated', 30_000);
  });

  await t.test('a machine without the engine is told once, and runs without', async (t) => {
    const folder = openDataFolder(path.join(temporaryFolder(t), 'data'));
    const said: string[] = [];
    const url = await startBeside({
      settings: settingsOf({}),
      folder,
      say: (line) => said.push(line),
      keep: async () => {
        t.fail('nothing is to be started');
      },
      signal: new AbortController().signal,
      requireProgram: () => requireClickHouseProgram(path.join(folder.path, 'elsewhere.js')),
    });
    t.equal(url, '');
    t.equal(said.length, 1);
    t.match(
      said[0],
      /not installed .*run `npm ci` without --omit=optional.*CLICKHOUSE_URL; everything else runs without/,
    );
  });

  await t.test('one that cannot start is tried again, and nothing else hears of it', async (t) => {
    const folder = openDataFolder(path.join(temporaryFolder(t), 'data'));
    const ended = new AbortController();
    t.teardown(() => ended.abort());
    const said: string[] = [];
    let tries = 0;
    const url = await startBeside({
      settings: settingsOf({}),
      folder,
      say: (line) => said.push(line),
      keep: async () => {
        tries++;
        throw new Error('no disk');
      },
      signal: ended.signal,
      retryMs: 20,
    });
    t.match(url, /^http:\/\/lastmile:.+@127\.0\.0\.1:\d+\/lastmile$/);
    await until(() => tries >= 3, 'it is tried again', 20_000);
    t.match(said[0], /^no disk; trying again in 0\.02 s, everything else runs without/);
  });
});

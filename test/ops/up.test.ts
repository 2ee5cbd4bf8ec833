// `npm start` from outside: what it prints, what it starts, what Ctrl-C and kill -9 leave behind.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { Client } from 'pg';
import t from 'tap';
import { storeAddresses } from '#ops/stores/addresses.ts';
import { clickHouseProblem, createClickHouse } from '#ops/stores/clickhouse.ts';
import { processesIn } from '#ops/stores/embedded/processes.ts';
import { connectRedis } from '#ops/stores/redis.ts';
import { until } from '#test/support/wait.ts';
import { launch, noServersBelow, serversBelow, settingsFor, temporaryFolder } from './launch.ts';

t.setTimeout(240_000);

const ready = 'Ctrl-C stops everything';

async function environmentOf(port: string | undefined): Promise<Record<string, string>> {
  return (await (await fetch(`http://127.0.0.1:${port}/environment`)).json()) as Record<string, string>;
}

function isGone(port: string | undefined): Promise<boolean> {
  return environmentOf(port).then(
    () => false,
    () => true,
  );
}

async function withOwner<T>(settings: Record<string, string>, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: storeAddresses(settings).databaseUrl });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

t.test('every wrong setting of every process is listed once, and nothing is started', async (t) => {
  const folder = temporaryFolder(t);
  const up = launch(t, {
    LASTMILE_DATA_DIR: path.join(folder, 'data'),
    HTTP_PORT: 'eighty',
    AAA_ADMIN_PORT: '70000',
    COLOUR: 'green',
    DATABASE_URL: 'mysql://somewhere/x',
    AAA_WORKERS: '1',
  });
  const second = launch(t, { LASTMILE_DATA_DIR: path.join(folder, 'data'), DATABASE_URL: 'mysql://somewhere/x' });
  t.equal(await up.ended, 1);
  for (const name of ['HTTP_PORT', 'AAA_ADMIN_PORT', 'COLOUR']) {
    t.equal(up.output().split(`- ${name} is`).length - 1, 1, `${name} is named once`);
  }
  t.notOk(existsSync(path.join(folder, 'data')), 'no data folder was made');
  t.equal(await second.ended, 1);
  t.match(second.output(), /DATABASE_URL is not a postgresql: URL/);
  t.match(second.output(), /LASTMILE_SECRET_KEY is required with DATABASE_URL/);
});

t.test('the life of one data folder', async (t) => {
  const folder = temporaryFolder(t);
  const settings = await settingsFor(path.join(folder, 'data'));
  const httpPort = settings.HTTP_PORT;
  const first = launch(t, settings);
  await first.printed(ready);
  const before = storeAddresses(settings);
  await first.printed(/ClickHouse brought up to date: 0001_accounting\.sql/);

  await t.test('each process gets its own addresses and no other secret', async (t) => {
    t.match(first.output(), /password ([a-z2-9]{4}-){4}[a-z2-9]{4}/, 'the first admin is told a password');
    const edge = await environmentOf(settings.AAA_ADMIN_PORT);
    const api = await environmentOf(httpPort);
    for (const name of ['DATABASE_URL', 'APP_DATABASE_URL', 'ADMIN_PASSWORD']) t.notOk(edge[name], `edge: no ${name}`);
    for (const name of ['DATABASE_URL', 'FEED_DATABASE_URL']) t.notOk(api[name], `API: no ${name}`);
    t.match(edge.FEED_DATABASE_URL, /lastmile_feed:/);
    t.match(api.APP_DATABASE_URL, /lastmile_app:/);
    t.equal(edge.CLICKHOUSE_URL, before.clickhouseUrl);
    t.equal(api.CLICKHOUSE_URL, before.clickhouseUrl);
    t.equal(edge.LASTMILE_SECRET_KEY, api.LASTMILE_SECRET_KEY);
    t.ok(Number(edge.UV_THREADPOOL_SIZE) >= 10);
  });

  await t.test('a second start in the same folder is refused', async (t) => {
    const rival = launch(t, settings, { shared: true });
    t.equal(await rival.ended, 1);
    t.match(rival.output(), new RegExp(`in use by another \`npm start\` \\(process ${first.child.pid}\\)`));
  });

  await t.test('Ctrl-C stops everything in reverse order', async (t) => {
    await withOwner(settings, (client) =>
      client.query(`INSERT INTO app_user (email, role, password_hash) VALUES ('a@example.com', 'super_admin', 'x')`),
    );
    first.child.kill('SIGINT');
    t.equal(await first.ended, 0);
    const order = [...first.output().matchAll(/^(.*) stopped$/gm)].map((match) => match[1]);
    t.same(order, ['control-api', 'aaa-server', 'PostgreSQL', 'Redis', 'ClickHouse']);
    await noServersBelow(folder);
  });

  const second = launch(t, settings);
  await second.printed(ready);

  await t.test('a second start keeps data, ports, passwords and key', async (t) => {
    t.notMatch(second.output(), /password/, 'no password is made while a super admin exists');
    t.same(storeAddresses(settings), before);
    t.equal((await withOwner(settings, (client) => client.query('SELECT FROM app_user'))).rowCount, 1);
  });

  await t.test('redis killed with -9 is back on its port with every acknowledged write', async (t) => {
    const client = await connectRedis({ url: before.redisUrl, name: 'test' });
    t.teardown(() => client.disconnect());
    const redis = serversBelow(folder).find(({ program }) => program === 'redis-server');
    let acknowledged = 0;
    try {
      for (;;) {
        await client.set(`write:${acknowledged}`, 'x');
        acknowledged++;
        if (acknowledged === 200) process.kill(redis!.pid, 'SIGKILL');
      }
    } catch (error) {
      t.ok(error instanceof Error, 'a write fails when the server dies');
    }
    await second.printed('Redis runs again');
    t.match(second.output(), /Redis ended unexpectedly: killed by SIGKILL/);
    const again = await connectRedis({ url: before.redisUrl, name: 'test' });
    t.teardown(() => again.disconnect());
    const keys = await Promise.all(Array.from({ length: acknowledged }, (_, index) => again.exists(`write:${index}`)));
    t.ok(acknowledged >= 200);
    t.ok(keys.every((exists) => exists === 1));
  });

  await t.test('a postmaster killed with -9 is back on its port', async (t) => {
    const servers = serversBelow(folder).filter(({ program }) => program === 'postgres');
    process.kill(Math.min(...servers.map(({ pid }) => pid)), 'SIGKILL');
    await second.printed('PostgreSQL runs again');
    t.equal((await withOwner(settings, (client) => client.query('SELECT FROM app_user'))).rowCount, 1);
  });

  await t.test('clickhouse killed with -9 is back on its port with its tables', async (t) => {
    await second.printed(/ClickHouse serves on port/);
    const client = createClickHouse(before.clickhouseUrl, { name: 'test' });
    t.teardown(() => client.close());
    process.kill(processesIn(path.join(before.folder.path, 'clickhouse'), ['node'])[0]!.pid, 'SIGKILL');
    await second.printed('ClickHouse runs again');
    t.equal(await clickHouseProblem(client), null);
    t.ok((await (await client.query({ query: 'EXISTS TABLE flows', format: 'TabSeparated' })).text()).startsWith('1'));
  });

  await t.test('a process killed with -9 serves again', async (t) => {
    const { PID: killed } = await environmentOf(settings.AAA_ADMIN_PORT);
    process.kill(Number(killed), 'SIGKILL');
    await second.printed('aaa-server ended unexpectedly: killed by SIGKILL');
    const { PID: after } = await until(() => environmentOf(settings.AAA_ADMIN_PORT), 'the edge serves again', 10_000);
    t.not(after, killed);
  });

  await t.test(
    'after kill -9 of the supervisor the processes stop by themselves, the stores stay behind',
    async (t) => {
      second.child.kill('SIGKILL');
      await second.ended;
      await until(() => isGone(httpPort), 'the API is gone', 10_000);
      await until(() => isGone(settings.AAA_ADMIN_PORT), 'the edge is gone', 10_000);
      const programs = serversBelow(folder).map(({ program }) => program);
      t.ok(programs.includes('redis-server') && programs.includes('postgres'));
    },
  );

  const third = launch(t, { ...settings, STOP_TAKES_MS: '30000' });
  await third.printed(ready);

  await t.test('the next start stops the orphans and has the data', async (t) => {
    t.match(third.output(), /stopping the Redis that an unclean stop left running/);
    t.match(third.output(), /stopping the PostgreSQL that an unclean stop left running/);
    await third.printed('stopping the ClickHouse that an unclean stop left running');
    await third.printed(/ClickHouse serves on port/);
    t.same(storeAddresses(settings), before);
    t.equal((await withOwner(settings, (client) => client.query('SELECT FROM app_user'))).rowCount, 1);
  });

  await t.test('Ctrl-C twice exits at once and leaves nothing running', async (t) => {
    third.child.kill('SIGINT');
    await third.printed('stopping (Ctrl-C again stops at once)');
    // npm passes the terminal's signal on: the same Ctrl-C, twice.
    third.child.kill('SIGINT');
    const from = performance.now();
    const again = setInterval(() => third.child.kill('SIGINT'), 350);
    t.equal(await third.ended, 130);
    clearInterval(again);
    t.ok(performance.now() - from > 200, 'the doubled signal counted once');
    t.ok(performance.now() - from < 3000);
    await noServersBelow(folder);
    t.ok(await isGone(httpPort));
  });
});

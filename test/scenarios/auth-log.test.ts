// Why a subscriber cannot log in, asked of the whole product: explained, tried and read in the auth log, with radclient as the access server.
import t from 'tap';
import { missing } from '#test/support/peers.ts';
import { type RadiusReply, radclient } from '#test/support/radclient.ts';
import { startStack } from '#test/support/stack.ts';
import { startPostgres } from '#test/support/stores.ts';
import { until } from '#test/support/wait.ts';

t.setTimeout(300_000);

t.test('logins and why they were refused', { timeout: 300_000, skip: missing('radclient') }, async (t) => {
  const postgres = await startPostgres(t);
  const stack = await startStack(t, {
    ...{ DATABASE_URL: postgres.url, LASTMILE_SECRET_KEY: 'a secret of this test only', REJECT_DELAY_MS: '0' },
  });
  await stack.seed(5);
  // biome-ignore lint/suspicious/noExplicitAny: each step says itself what it expects of an answer
  const api = async (method: string, path: string, body?: unknown) => (await stack.api(method, path, body)) as any;
  const login = (user: string, password = 'pass123') =>
    radclient(stack.authTarget, 'auth', [
      ...[`User-Name = "${user}"`, `User-Password = "${password}"`, 'Message-Authenticator = 0x00'],
      ...['Calling-Station-Id = "00-11-22-33-44-55"', 'NAS-Port-Id = "ge-0/0/1"'],
    ]);
  const idOf = async (user: string) => (await api('GET', `/subscriptions?search=${user}`)).data[0].id;
  const logged = (query: string, enough: (data: { result: string }[]) => boolean) =>
    until(
      async () => {
        const { data } = await api('GET', `/aaa/logins?${query}`);
        return enough(data) ? data : undefined;
      },
      `the auth log has ${query}`,
      30_000,
    );
  let accept: RadiusReply | undefined;

  await t.test('every login is in the log within seconds, also of those whom nobody knows', async (t) => {
    accept = await until(
      async () => {
        const reply = await login('user0');
        return reply.code === 'Access-Accept' ? reply : undefined;
      },
      'user0 logs in',
      20_000,
    );
    await login('user0', 'wrong');
    await login('stranger');
    const [wrong, ...before] = await logged('username=user0', (data) => data.length >= 2);
    const own = await idOf('user0');
    t.match(wrong, {
      ...{ result: 'reject', reason: 'wrong_password', sentence: 'The password is wrong.', method: 'pap', test: false },
      ...{ subscription_id: own, calling_station_id: '00-11-22-33-44-55', nas_port_id: 'ge-0/0/1' },
    });
    t.match(before.at(-1), { result: 'accept', reason: null, outcome: /^accept:/, subscription_id: own });
    t.match(await logged('username=stranger', (data) => data.length > 0), [
      { reason: 'unknown_user', subscription_id: null },
    ]);
    t.equal((await api('GET', `/subscriptions/${own}/logins`)).data.length, before.length + 1);
    const { hours, top_user_names: top } = await api('GET', '/aaa/rejects?by=reason');
    t.strictSame(hours.map(({ key }: { key: string }) => key).sort(), ['unknown_user', 'wrong_password']);
    t.equal(top.length, 2);
  });

  await t.test('what is explained is what the access server gets', async (t) => {
    const found = await api('GET', '/aaa/explain?username=user0&nas=127.0.0.1');
    t.match(found, { result: 'accept', user: { matched_by: 'whole_name' }, network: { live_sessions: 0 } });
    const fixed = (name: string) => !/^(Class|Acct-Interim-Interval|Session-Timeout|Message-Authenticator)$/.test(name);
    const told = found.attributes.flatMap(({ name, value }: { name: string; value: string }) =>
      fixed(name) ? [`${name} = ${value}`] : [],
    );
    const real = (accept?.attributes ?? [])
      .map((line) => line.replaceAll('"', ''))
      .filter((line) => fixed(line.split(' ')[0] ?? ''));
    t.strictSame(told, real);
    const names = (list: readonly string[]) =>
      list.map((line) => line.split(' ')[0]).filter((name) => name !== 'Message-Authenticator');
    t.strictSame(
      found.attributes.map(({ name }: { name: string }) => name),
      names(accept?.attributes ?? []),
    );
  });

  await t.test('a login that is tried goes through a worker, and is marked as a test', async (t) => {
    for (const method of ['pap', 'chap', 'mschapv2']) {
      const body = { username: 'user1', method, nas: '127.0.0.1' };
      t.match(await api('POST', '/aaa/test-auth', { ...body, password: 'pass123' }), {
        result: 'accept',
        outcome: /^accept:/,
      });
      t.match(await api('POST', '/aaa/test-auth', { ...body, password: 'no' }), {
        result: 'reject',
        reason: 'wrong_password',
      });
    }
    const tests = await logged('username=user1', (data) => data.length === 6);
    t.ok(tests.every(({ test }: { test: boolean }) => test));
    t.strictSame((await api('GET', '/sessions')).data, []);
    const { top_user_names: top } = await api('GET', '/aaa/rejects');
    t.notOk(
      top.some(({ user_name: name }: { user_name: string }) => name === 'user1'),
      'it is nobody’s reject',
    );
  });

  await t.test('without ClickHouse logins go on, and the log catches up', async (t) => {
    process.kill(stack.pidOf('clickhouse'), 'SIGKILL');
    for (let i = 0; i < 20; i++) t.equal((await login('user2')).code, 'Access-Accept');
    const data = await until(
      async () => {
        const reply = await api('GET', '/aaa/logins?username=user2&limit=100').catch(() => undefined);
        return reply?.data.length === 20 ? reply.data : undefined;
      },
      'all that was told meanwhile is in the log',
      90_000,
    );
    t.ok(data.every(({ result }: { result: string }) => result === 'accept'));
  });
});

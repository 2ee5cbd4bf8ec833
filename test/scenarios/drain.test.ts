// A drained access server on the whole product: its sessions are ended at the ordered pace, over a kill -9 of aaa-server, and never more than were confirmed.
import t from 'tap';
import { scriptedNas } from '#test/aaa-server/enforcement/scripted-nas.ts';
import { createAccountingClient } from '#test/support/accounting-client.ts';
import { missing } from '#test/support/peers.ts';
import { radclient } from '#test/support/radclient.ts';
import { startStack } from '#test/support/stack.ts';
import { startPostgres } from '#test/support/stores.ts';
import { until } from '#test/support/wait.ts';

t.setTimeout(300_000);

const confirmed = 25;
const late = 6;

t.test('a drain goes on after kill -9', { timeout: 300_000, skip: missing('radclient') }, async (t) => {
  const device = await scriptedNas(t);
  const postgres = await startPostgres(t);
  const stack = await startStack(t, {
    ...{ DATABASE_URL: postgres.url, LASTMILE_SECRET_KEY: 'a secret of this test only', REJECT_DELAY_MS: '0' },
  });
  await stack.seed(confirmed + late);
  // biome-ignore lint/suspicious/noExplicitAny: each step says itself what it expects of an answer
  const api = async (method: string, path: string, body?: unknown) => (await stack.api(method, path, body)) as any;
  const nas = (await api('GET', '/nas')).data[0].id;
  await api('PATCH', `/nas/${nas}`, { coa_address: '127.0.0.1', coa_port: device.port, vendor: 'mikrotik' });
  const client = createAccountingClient(Number(stack.acctTarget.split(':')[1]), 'testing123');
  t.teardown(client.close);
  const account = (index: number, status: 'Start' | 'Stop') =>
    client.send(
      [
        ['User-Name', `user${index}`],
        ['Acct-Session-Id', `s${index}`],
        ['Acct-Status-Type', status],
        ['NAS-IP-Address', '127.0.0.1'],
        ['Acct-Session-Time', status === 'Start' ? 0 : 60],
      ],
      new AbortController().signal,
    );
  const told = () => device.received.filter(({ kind }) => kind === 'disconnect').map(({ sessionId }) => sessionId);
  device.answer = ({ kind, sessionId }) => {
    // As a real one: it says yes, and soon the session's Stop comes.
    if (kind === 'disconnect') void account(Number(sessionId.slice(1)), 'Stop');
    return 'ack';
  };
  for (let i = 0; i < confirmed; i++) await account(i, 'Start');
  const login = () =>
    radclient(
      stack.authTarget,
      'auth',
      [
        'User-Name = "user1"',
        'User-Password = "pass123"',
        'Message-Authenticator = 0x00',
        'NAS-IP-Address = 127.0.0.1',
      ],
      { timeoutS: 1, retries: 1 },
    );
  t.equal((await login()).code, 'Access-Accept');

  await api('POST', `/nas/${nas}/drain`, { note: 'new line card' });
  await until(async () => (await login()).code === 'none', 'new logins get no answer', 20_000);
  await until(async () => (await api('GET', `/nas/${nas}/drain`)).open_sessions === confirmed, 'the preview', 20_000);
  await api('POST', `/nas/${nas}/drain/move`, { count: confirmed, per_s: 5 });
  // Whoever slips in after the number was confirmed is not part of it.
  for (let i = confirmed; i < confirmed + late; i++) await account(i, 'Start');

  await until(() => told().length >= 8, 'some sessions are told to end', 30_000);
  process.kill(stack.pidOf('aaa-server/main.ts'), 'SIGKILL');
  const before = told().length;
  t.ok(before < confirmed, `${before} of ${confirmed} when it was killed`);
  await until(
    async () => (await fetch(`${stack.aaaAdminUrl}/readyz`).catch(() => undefined))?.ok === true,
    'aaa-server is back',
    60_000,
  );
  await until(async () => (await api('GET', `/nas/${nas}/drain`)).move.told === confirmed, 'all are told', 60_000);
  await until(async () => (await api('GET', `/nas/${nas}/drain`)).open_sessions === late, 'and have ended', 150_000);
  t.equal(new Set(told()).size, confirmed, 'as many as were confirmed, and nobody else');

  await api('DELETE', `/nas/${nas}/drain/move`);
  await api('DELETE', `/nas/${nas}/drain`);
  await until(async () => (await login()).code === 'Access-Accept', 'logins are let in again', 20_000);
});

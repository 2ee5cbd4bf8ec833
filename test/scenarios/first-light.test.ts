// One subscriber's day on the whole product: login, usage counted to the byte, throttled by CoA, expiry without PostgreSQL.
import t from 'tap';
import { startFreeradiusNas } from '#test/support/freeradius-nas.ts';
import { missing } from '#test/support/peers.ts';
import { radclient } from '#test/support/radclient.ts';
import { type Stack, startStack } from '#test/support/stack.ts';
import { startPostgres } from '#test/support/stores.ts';
import { until } from '#test/support/wait.ts';

const gigabytes = 1_000_000_000;
const gigaword = 2 ** 32;

type Enforcement = {
  mode: string;
  sessions: { session_id: string; desired: string; acked: string; error_cause: string | null }[];
};
type Bytes = { up_bytes: number; down_bytes: number; total_bytes: number };

function access(userName: string): string[] {
  return [
    `User-Name = "${userName}"`,
    'User-Password = "pass123"',
    'NAS-IP-Address = 127.0.0.1',
    'NAS-Port = 1',
    'Message-Authenticator = 0x00',
  ];
}

function accounting(
  userName: string,
  sessionId: string,
  status: string,
  login: { value(name: string): string | undefined },
  more: string[] = [],
): string[] {
  const classValue = login.value('Class');
  return [
    `User-Name = "${userName}"`,
    `Acct-Session-Id = "${sessionId}"`,
    `Acct-Status-Type = ${status}`,
    'NAS-IP-Address = 127.0.0.1',
    'NAS-Port = 1',
    ...(classValue ? [`Class = ${classValue}`] : []),
    ...more,
  ];
}

function octets(up: number, down: number): string[] {
  return [
    `Acct-Input-Octets = ${up % gigaword}`,
    `Acct-Input-Gigawords = ${Math.floor(up / gigaword)}`,
    `Acct-Output-Octets = ${down % gigaword}`,
    `Acct-Output-Gigawords = ${Math.floor(down / gigaword)}`,
  ];
}

async function subscriptionOf(stack: Stack, userName: string): Promise<number> {
  const found = (await stack.api('GET', `/subscriptions?search=${userName}`)) as { data: { id: number }[] };
  return found.data[0]!.id;
}

t.setTimeout(240_000);

t.test('first light', { timeout: 240_000, skip: missing('radclient', 'freeradius') }, async (t) => {
  const postgres = await startPostgres(t);
  const stack = await startStack(t, { DATABASE_URL: postgres.url, LASTMILE_SECRET_KEY: 'a secret of this test only' });
  await stack.seed(30);
  const nas = await startFreeradiusNas(t, { port: 3799 });
  await t.test('the seed ends when its subscribers can log in, with the speed of their tariff', async (t) => {
    const login = await radclient(stack.authTarget, 'auth', access('user0'));
    t.equal(login.code, 'Access-Accept');
    t.match(login.attributes[0], /^Message-Authenticator = 0x/, 'Message-Authenticator comes first');
    t.equal(login.value('Mikrotik-Rate-Limit'), '5M/20M');
    t.ok(Number(login.value('Acct-Interim-Interval')) >= 60);
  });

  await t.test('a login that comes again is answered from memory', async (t) => {
    const answered = async () => {
      const text = await (await fetch(`${stack.aaaAdminUrl}/metrics`)).text();
      return Number(/^lastmile_radius_remembered_logins_total\{event="answered"[^}]*\} (\d+)/m.exec(text)?.[1]);
    };
    await until(async () => {
      t.equal((await radclient(stack.authTarget, 'auth', access('user0'))).code, 'Access-Accept');
      return (await answered()) > 0;
    }, 'a worker remembers it');
  });

  await t.test('a wrong password is rejected', async (t) => {
    const attributes = access('user0').map((line) => line.replace('pass123', 'wrong'));
    t.equal((await radclient(stack.authTarget, 'auth', attributes)).code, 'Access-Reject');
  });

  await t.test('crossing 10 GB reaches the access server within a second and is counted exactly', async (t) => {
    const login = await radclient(stack.authTarget, 'auth', access('user0'));
    const send = (status: string, more: string[]) =>
      radclient(stack.acctTarget, 'acct', accounting('user0', 'light-0', status, login, more));
    t.equal((await send('Start', ['Acct-Session-Time = 0'])).code, 'Accounting-Response');
    const up = 1 * gigabytes + 7;
    const down = 10 * gigabytes - 1;
    const receivedAt = Date.now();
    t.equal(
      (await send('Interim-Update', ['Acct-Session-Time = 60', ...octets(up, down)])).code,
      'Accounting-Response',
    );
    const ofSession = () =>
      nas.requests().filter(({ attributes }) => attributes.includes('Acct-Session-Id = "light-0"'));
    await until(() => ofSession().length > 0, 'a CoA-Request reached the access server', 5000);
    t.ok(
      Date.now() - receivedAt < 1500,
      `${Date.now() - receivedAt} ms from radclient's start to the sight of the CoA`,
    );
    const [coa] = ofSession();
    t.equal(coa!.type, 'CoA-Request');
    t.match(coa!.attributes.join('\n'), /Mikrotik-Rate-Limit = "2M\/2M"/);

    t.equal(
      (await radclient(stack.authTarget, 'auth', access('user0'))).value('Mikrotik-Rate-Limit'),
      '2M/2M',
      'at the next login too',
    );

    const id = await subscriptionOf(stack, 'user0');
    const usage = (await stack.api('GET', `/subscriptions/${id}/usage`)) as Record<string, Bytes>;
    const exact = { up_bytes: up, down_bytes: down, total_bytes: up + down };
    t.match(usage.all_time, exact);
    t.match(usage.today, exact);
    t.match(usage.this_month, exact);
    await until(
      async () => {
        const state = (await stack.api('GET', `/subscriptions/${id}/enforcement`)) as Enforcement;
        return (
          state.sessions[0]?.acked === state.sessions[0]?.desired &&
          state.sessions[0]?.acked.includes('2000000/2000000') === true
        );
      },
      'the ACK is shown',
      3000,
    );
  });

  await t.test('an expiry passes and is enforced while PostgreSQL is away, and logins go on', async (t) => {
    const login = await radclient(stack.authTarget, 'auth', access('user1'));
    t.equal(login.code, 'Access-Accept');
    await radclient(
      stack.acctTarget,
      'acct',
      accounting('user1', 'light-1', 'Start', login, ['Acct-Session-Time = 0']),
    );
    const id = await subscriptionOf(stack, 'user1');
    const paidUntil = new Date(Date.now() + 6000).toISOString();
    await stack.api('PATCH', `/subscriptions/${id}`, { paid_until: paidUntil });
    await until(
      async () => {
        const reply = await radclient(stack.authTarget, 'auth', access('user1'));
        return Number(reply.value('Session-Timeout') ?? Number.POSITIVE_INFINITY) <= 6;
      },
      'the new expiry has reached the workers',
      3000,
    );
    await postgres.stop();
    t.equal((await radclient(stack.authTarget, 'auth', access('user2'))).code, 'Access-Accept', 'logins go on');
    await until(
      () =>
        nas
          .requests()
          .some(
            (request) =>
              request.type === 'Disconnect-Request' && request.attributes.includes('Acct-Session-Id = "light-1"'),
          ),
      'the expired session is disconnected',
      15_000,
    );
    t.equal((await radclient(stack.authTarget, 'auth', access('user1'))).code, 'Access-Reject', 'and cannot come back');
    await postgres.start();
    await until(async () => (await fetch(`${stack.apiUrl}/readyz`)).ok, 'the API is ready again', 15_000);
  });
});

// Addresses, sessions and devices on the whole product: from the API through the feed and Redis to the Access-Accept.
import t from 'tap';
import { missing } from '#test/support/peers.ts';
import { radclient } from '#test/support/radclient.ts';
import { type Stack, startStack } from '#test/support/stack.ts';
import { startPostgres } from '#test/support/stores.ts';
import { until } from '#test/support/wait.ts';

t.setTimeout(240_000);

type Reply = Awaited<ReturnType<typeof radclient>>;
const at = (device: number) => [
  'NAS-IP-Address = 127.0.0.1',
  `NAS-Port = ${device}`,
  `Calling-Station-Id = "00-00-00-00-00-0${device}"`,
];

function speaker(stack: Stack) {
  const login = (user: string, device: number, password = 'pass123') =>
    radclient(stack.authTarget, 'auth', [
      ...[`User-Name = "${user}"`, `User-Password = "${password}"`, 'Message-Authenticator = 0x00', ...at(device)],
    ]);
  const account = (user: string, device: number, status: string, reply: Reply) =>
    radclient(stack.acctTarget, 'acct', [
      ...[
        `User-Name = "${user}"`,
        `Acct-Session-Id = "${user}-${device}"`,
        `Acct-Status-Type = ${status}`,
        ...at(device),
      ],
      `Class = ${reply.value('Class')}`,
      ...(reply.value('Framed-IP-Address') ? [`Framed-IP-Address = ${reply.value('Framed-IP-Address')}`] : []),
    ]);
  const address = async (user: string, device: number) => (await login(user, device)).value('Framed-IP-Address');
  return { login, account, address };
}

t.test('a pool from the API to the subscriber', { timeout: 240_000, skip: missing('radclient') }, async (t) => {
  const postgres = await startPostgres(t);
  const stack = await startStack(t, {
    ...{ DATABASE_URL: postgres.url, LASTMILE_SECRET_KEY: 'a secret of this test only', REJECT_DELAY_MS: '0' },
  });
  await stack.seed(9);
  // biome-ignore lint/suspicious/noExplicitAny: each step says itself what it expects of an answer
  const api = async (method: string, path: string, body?: unknown) => (await stack.api(method, path, body)) as any;
  const { login, account, address } = speaker(stack);
  const pool = await api('POST', '/pools', {
    ...{ name: 'homes', family: 'ipv4', reserve: 2, ranges: [{ first: '100.64.0.10', last: '100.64.0.12' }] },
  });
  const prefixes = await api('POST', '/pools', {
    name: 'prefixes',
    family: 'delegated_prefix',
    ranges: [{ prefix: '2001:db8::/48' }],
  });
  const idOf = async (user: string) => (await api('GET', `/subscriptions?search=${user}`)).data[0].id;
  const network = { ipv4_pool_id: pool.id, delegated_pool_id: prefixes.id, session_limit: 1 };
  for (const user of ['user0', 'user1', 'user2', 'user3']) {
    await api('PATCH', `/subscriptions/${await idOf(user)}`, { network });
  }

  await t.test('a login gets an address and a prefix, the same one when it is repeated', async (t) => {
    const first = await until(
      async () => {
        const reply = await login('user0', 1);
        return reply.value('Framed-IP-Address') ? reply : undefined;
      },
      'the pool has come to the edge',
      15_000,
    );
    t.equal(first.value('Framed-IP-Address'), '100.64.0.10');
    t.match(first.value('Delegated-IPv6-Prefix'), /^2001:db8::\/56$/);
    t.equal(await address('user0', 1), '100.64.0.10');
    await account('user0', 1, 'Start', first);
    await until(
      async () => (await api('GET', `/pools/${pool.id}/leases?state=live`)).data.length === 1,
      'the Start confirms',
      15_000,
    );
    t.match(await api('GET', `/pools/${pool.id}`), { usage: { exhausted: 0 }, size: 3 });
    t.equal((await login('user5', 5)).value('Framed-IP-Address'), undefined, 'who has no pool gets none');
  });

  await t.test(
    'in mode refuse a second session is refused while the first lives, and gets in when it is over',
    async (t) => {
      const tenants = await api('GET', '/tenants');
      const { id } = tenants.data.find(({ slug }: { slug: string }) => slug === 'demo');
      const unpaid = { unknown_user: { address_list: 'portal', session_timeout_s: 60 } };
      await api('PATCH', `/tenants/${id}`, { session_mode: 'refuse', refused_logins: unpaid });
      await until(
        async () => (await login('user0', 2)).code === 'Access-Reject',
        'the second session is refused',
        15_000,
      );
      t.equal((await login('user0', 1)).code, 'Access-Accept', 'the same place is the same session');
      const again = await login('user0', 1);
      await account('user0', 1, 'Stop', again);
      await until(async () => (await login('user0', 2)).code === 'Access-Accept', 'the first is over', 15_000);
    },
  );

  await t.test('an unknown user gets a short stay in the garden', async (t) => {
    const reply = await login('nobody', 1);
    t.equal(reply.code, 'Access-Accept');
    t.match(reply, { code: 'Access-Accept' });
    t.equal(reply.value('Session-Timeout'), '60');
    t.equal(reply.value('Mikrotik-Address-List'), 'portal');
    t.equal((await login('user5', 5, 'wrong')).code, 'Access-Reject');
  });

  await t.test('a bound subscription knows its first device', async (t) => {
    const id = await idOf('user6');
    await api('PATCH', `/subscriptions/${id}`, { network: { mac_limit: 1 } });
    await until(
      async () => {
        await login('user6', 6);
        return (await api('GET', `/subscriptions/${id}/devices`)).data.length === 1;
      },
      'the device is learned',
      15_000,
    );
    t.equal((await login('user6', 7)).code, 'Access-Reject');
    t.equal((await login('user6', 6)).code, 'Access-Accept');
  });

  await t.test('a full pool rejects, and counts it', async (t) => {
    const given = [await address('user1', 1), await address('user2', 1), await address('user3', 1)].filter(Boolean);
    t.equal(new Set(given).size, given.length, `nobody shares: ${given}`);
    t.equal((await login('user3', 1)).code, 'Access-Reject');
    const counted = [
      /lastmile_radius_rejects_total{[^}]*reason="pool_exhausted"[^}]*} [1-9]/,
      /lastmile_pool_exhausted_total{[^}]*pool="homes"[^}]*} [1-9]/,
      /lastmile_pool_units{[^}]*pool="homes"[^}]*} 3/,
    ];
    await until(
      async () => {
        const metrics = await (await fetch(`${stack.aaaAdminUrl}/metrics`)).text();
        return counted.every((line) => line.test(metrics));
      },
      'the metrics tell of the reject, the exhausted pool and its size',
      30_000,
    );
  });
});

// The operator tools of AAA in the API, with aaa-server's own functions behind its admin port.
import t, { type Test } from 'tap';
import { adminCalls } from '#aaa-server/admin-calls.ts';
import type { PlanRecord, SubscriptionRecord } from '#aaa-server/subscribers/records.ts';
import { createAaaTools } from '#control-api/aaa/edge.ts';
import { createAaaAdmin } from '#control-api/aaa-admin.ts';
import type { LoggedLogin } from '#ops/history/logins.ts';
import { createAdminServer } from '#ops/runtime/admin.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import { keyring, nasOf } from '#test/aaa-server/support/isp.ts';
import { createOperated, dictionary, noonMs, type World } from '#test/aaa-server/support/operated.ts';
import { poolOf } from '#test/policy/ledger/pool-model.ts';
import { apiForTest, makeTenant, makeUser } from './api.ts';

t.setTimeout(120_000);

/** An aaa-server without its processes, whose tenant 1 is that of the API. */
async function setup(t: Test) {
  const isp = createOperated();
  const routes = adminCalls({
    keyring,
    guard: { list: () => [], confirm: async () => ({ ok: false }) } as never,
    snapshot: isp.snapshot,
    workers: { unknownClients: async () => ({ clients: [], networks: [] }), testLogin: isp.testLogin },
    dictionary,
    explain: isp.explain,
  });
  const server = createAdminServer({ host: '127.0.0.1', port: 0, registry: new Registry(), ready: [], routes });
  await server.start();
  t.teardown(() => server.stop());
  const aaa = createAaaTools(createAaaAdmin(`http://127.0.0.1:${server.port()}`, keyring));
  const api = await apiForTest(t, { aaa });
  t.equal(await makeTenant(api, 'fiber'), 1);
  return { isp, api, server, admin: await api.signIn('admin@fiber.example', 'fiber') };
}

t.test('a login explained', async (t) => {
  const { isp, api, server, admin } = await setup(t);
  isp.nasChanged([
    nasOf({ name: 'tower', address: '192.0.2.1' }),
    nasOf({ id: 2, name: 'foreign', address: '192.0.2.2', tenantId: 2 }),
    nasOf({ id: 3, name: 'nokia', address: '192.0.2.3', vendor: 'nokia' }),
  ]);
  isp.add('anna');
  const explain = (query: string) => admin('GET', `/aaa/explain?${query}`);
  const world = async (subscription: Partial<SubscriptionRecord>, change: World, query = 'username=anna&nas=tower') => {
    isp.isp.changeSubscription(1, { holds: [], paidUntilMs: null, addresses: [], ...subscription });
    Object.assign(isp.world, { plan: {}, profile: undefined, pools: [], ...change });
    const reply = await explain(query);
    t.equal(reply.status, 200, JSON.stringify(reply.body));
    t.notMatch(JSON.stringify(reply.body), /testing123|"secret"/);
    return reply.body;
  };
  const speed = (body: { attributes: { source: string }[] }) =>
    body.attributes.find(({ source }) => source === 'speed');

  await t.test('every class of outcome names what decided', async (t) => {
    t.match(await world({}, {}, 'username=nobody&nas=1'), {
      result: 'reject',
      reason: 'unknown_user',
      user: { credential: null },
    });
    const held = await world({ holds: [{ reason: 'non_payment', sinceMs: noonMs, untilMs: null }] }, {});
    t.match(held, { result: 'reject', reason: 'hold_non_payment', sentence: /open invoice is paid.*refused/ });
    t.ok(held.facts.find((fact: { fact: string; decides: boolean }) => fact.fact === 'hold' && fact.decides));
    t.match(await world({ paidUntilMs: noonMs - 1 }, {}), { result: 'reject', reason: 'expired' });
    const slow = { upBps: 1e6, downBps: 1e6 };
    const fupRules: PlanRecord['fupRules'] = [
      { window: 'month', direction: 'down', thresholdBytes: 5, effect: { kind: 'speed', ...slow } },
    ];
    const throttled = await world({}, { plan: { fupRules }, profile: { fupSpeed: slow } });
    t.match(throttled, { result: 'accept', reason: 'fup' });
    t.match(speed(throttled), { value: '1M/1M', rule: /fair-use rule 1 of tariff 1/ });
    const fixed = await world({ addresses: [{ kind: 'ipv4', prefix: '10.0.0.7/32' }] }, {});
    t.match(
      fixed.attributes.find(({ source }: { source: string }) => source === 'static_address'),
      { name: 'Framed-IP-Address', value: '10.0.0.7' },
    );
    const terms = {
      ipv4PoolId: 5,
      ipv6PoolId: null,
      delegatedPoolId: null,
      sessionLimit: 0,
      macLimit: 0,
      macMode: 'lock',
    } as const;
    t.match(await world({}, { plan: { network: terms }, pools: [poolOf({ onExhausted: 'nas' })] }), {
      result: 'accept',
      network: { pools: { ipv4: 'homes' }, ledger: 'away', live_sessions: 0 },
    });
    t.match(await world({}, {}, 'username=anna&nas=nokia'), { result: 'reject', reason: 'speed_policy_missing' });
    t.match(await world({}, {}, 'username=anna&nas=192.0.2.1&mac=00-11-22-33-44-55'), { nas: { found_by: 'address' } });
  });

  await t.test('a login of staff is explained to who may see them', async (t) => {
    const query = 'username=anna&nas=tower&service_type=6';
    t.match(await explain(query), { status: 200, body: { result: 'reject', reason: 'device_login_refused' } });
    const viewer = await api.signIn('viewer@fiber.example', 'fiber');
    for (const service of [6, 7, 8, 9, 11])
      t.match(
        await viewer('GET', `/aaa/explain?username=nobody&nas=tower&service_type=${service}`),
        { status: 403, body: { code: 'forbidden' } },
        'whether there is such a user or not',
      );
    t.equal((await viewer('GET', '/aaa/explain?username=anna&nas=tower')).status, 200);
  });

  await t.test('an access server of another tenant is none, and one has to be named', async (t) => {
    for (const nas of ['192.0.2.2', 'foreign', '2', '203.0.113.9'])
      t.match(await explain(`username=anna&nas=${nas}`), { status: 404, body: { code: 'nas_not_found' } });
    t.match(await explain('username=anna'), { status: 400, body: { code: 'nas_not_named' } });
    t.match(await explain('nas=tower'), { status: 400, body: { code: 'validation_failed' } });
    const long = encodeURIComponent('ü'.repeat(200));
    t.match(await explain(`username=${long}&nas=tower`), { status: 400, body: { code: 'validation_failed' } });
  });

  const counted = {
    ipv4PoolId: null,
    ipv6PoolId: null,
    delegatedPoolId: null,
    sessionLimit: 2,
    macLimit: 0,
    macMode: 'lock',
  } as const;

  await t.test('while Redis is away everything but the number of sessions is told', async (t) => {
    const told = await world({}, { plan: { network: counted } });
    t.match(told, { result: 'accept', network: { live_sessions: 0 } });
    api.ledger.away = true;
    const body = await world({}, { plan: { network: counted } });
    t.match(body, { result: 'accept', network: { session_limit: 2 } });
    t.equal(body.network.live_sessions, null);
    api.ledger.away = false;
  });

  await t.test('when aaa-server is away that is the answer', async (t) => {
    await server.stop();
    t.match(await explain('username=anna&nas=tower'), { status: 503, body: { code: 'aaa_unavailable' } });
    const test = { username: 'anna', password: 'secret', method: 'pap', nas: 'tower' };
    t.match(await admin('POST', '/aaa/test-auth', test), { status: 503, body: { code: 'aaa_unavailable' } });
  });
});

t.test('a login tried', async (t) => {
  const { isp, api, admin } = await setup(t);
  isp.add('anna');
  const body = { username: 'anna', password: 'secret', method: 'chap' };

  await t.test('says what the access server would be answered', async (t) => {
    for (const method of ['pap', 'chap', 'mschapv2']) {
      const right = await admin('POST', '/aaa/test-auth', { ...body, method });
      t.match(right, { status: 200, body: { result: 'accept', reason: null, subscription_id: 1, nas_id: 1 } }, method);
      t.match(right.body.attributes[method === 'mschapv2' ? 5 : 0], { name: 'Mikrotik-Rate-Limit', value: '5M/20M' });
      t.type(right.body.duration_ms, 'number');
      t.match(await admin('POST', '/aaa/test-auth', { ...body, method, password: 'guess' }), {
        status: 200,
        body: { result: 'reject', reason: 'wrong_password', sentence: 'The password is wrong.', subscription_id: null },
      });
    }
  });

  await t.test('is in the audit log without the password', async (t) => {
    const { rows } = await api.owner.query(
      "SELECT detail::text AS detail FROM audit_log WHERE action = 'aaa.test_auth'",
    );
    t.equal(rows.length, 6);
    t.match(rows[0].detail, /"username": ?"anna"/);
    t.notMatch(JSON.stringify(rows), /secret|guess/);
  });

  await t.test('has a permission of its own', async (t) => {
    for (const role of ['operator', 'viewer']) {
      const call = await api.signIn(`${role}@fiber.example`, 'fiber');
      t.match(await call('POST', '/aaa/test-auth', body), { status: 403, body: { code: 'forbidden' } }, role);
      t.equal((await call('GET', '/aaa/explain?username=anna')).status, 200, role);
    }
  });

  await t.test('is no way to guess passwords', async (t) => {
    await makeUser(api, 'guesser@fiber.example', 'admin', 1);
    const guesser = await api.signIn('guesser@fiber.example', 'fiber');
    const replies = await Promise.all(Array.from({ length: 25 }, () => guesser('POST', '/aaa/test-auth', body)));
    t.equal(replies.filter(({ status }) => status === 200).length, 20);
    t.match(
      replies.find(({ status }) => status !== 200),
      { status: 429, body: { code: 'too_many_requests' } },
    );
  });
});

t.test('the auth log and its statistics', async (t) => {
  const api = await apiForTest(t);
  const tenantId = await makeTenant(api, 'fiber');
  const call = await api.signIn('viewer@fiber.example', 'fiber');
  const login = (sequence: number): LoggedLogin => ({
    ...{ atMs: noonMs, node: 'n', worker: 1, sequence, subscriptionId: 0, userName: 'bob', nasId: 3, method: 'pap' },
    ...{ result: 'reject', reason: 'unknown_user', callingStationId: '', nasPortId: '', framedIp: '', outcome: '' },
    ...{ durationUs: 90, test: false },
  });
  api.history.logins = [login(3), login(2), login(1)];

  const first = await call('GET', '/aaa/logins?limit=2&username=bob&nas=3&result=reject&from=2026-01-01T00:00:00Z');
  t.match(first, {
    status: 200,
    body: {
      data: [
        { user_name: 'bob', reason: 'unknown_user', sentence: /^No login/, subscription_id: null, framed_ip: null },
        {},
      ],
      left_out: 4,
    },
  });
  t.match(api.history.loginsAsked.at(-1), { tenantId, userName: 'bob', nasId: 3, result: 'reject', limit: 3 });
  t.equal((await call('GET', `/aaa/logins?cursor=${first.body.next_cursor}`)).status, 200);
  t.strictSame(api.history.loginsAsked.at(-1)?.after, { atMs: noonMs, node: 'n', worker: 1, sequence: 2 });
  for (const bad of ['x', Buffer.from('["logins","a","b","c","d"]').toString('base64url')])
    t.match(await call('GET', `/aaa/logins?cursor=${bad}`), { status: 400, body: { code: 'invalid_cursor' } });
  t.equal(api.history.loginsAsked.at(-1)?.withoutStaff, true, 'who logs in to devices is nothing for viewers');
  const admin = await api.signIn('admin@fiber.example', 'fiber');
  await admin('GET', '/aaa/logins');
  t.equal(api.history.loginsAsked.at(-1)?.withoutStaff, false);
  await admin('GET', '/aaa/rejects');
  t.equal(api.history.rejectsAsked.at(-1)?.withoutStaff, false);
  t.match(await call('GET', '/subscriptions/999/logins'), { status: 404, body: { code: 'subscription_unknown' } });

  t.match(await call('GET', '/aaa/rejects?by=nas'), {
    status: 200,
    body: { by: 'nas', hours: [], top_user_names: [] },
  });
  t.match(api.history.rejectsAsked.at(-1), { tenantId, by: 'nas', keys: 20, withoutStaff: true });
  const span = 'from=2026-01-01T00:00:00Z&to=2026-03-01T00:00:00Z';
  t.match(await call('GET', `/aaa/rejects?${span}`), { status: 400, body: { code: 'span_too_long' } });
  api.history.away = true;
  t.match(await call('GET', '/aaa/logins'), { status: 503, body: { code: 'history_unavailable' } });
  t.match(await call('GET', '/aaa/rejects'), { status: 503 });
});

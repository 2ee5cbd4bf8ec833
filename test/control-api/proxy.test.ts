// Home servers, realms and accounting copies in the API: what they may be, and what refuses to go.
import t from 'tap';
import { homeServerPlace } from '#policy/proxy/settings.ts';
import { until } from '#test/support/wait.ts';
import { apiForTest, makeTenant, makeUser, type TestApi } from './api.ts';

t.setTimeout(120_000);

type Name = readonly [realm: string, userName: string];

/** A subscriber for each name, straight in the database. */
async function subscribers({ owner }: TestApi, tenantId: number, names: readonly Name[]): Promise<void> {
  await owner.query(
    `WITH service AS (INSERT INTO service (tenant_id, category, name) VALUES ($1, 'internet', 'Basic') RETURNING id),
       tariff AS (INSERT INTO tariff (tenant_id, service_id, version, up_bps, down_bps, fup_rules)
         SELECT $1, id, 1, 5000000, 20000000, '[]' FROM service RETURNING id),
       customer AS (INSERT INTO customer (tenant_id, account_number, name, status) VALUES ($1, '100008', 'Ada', 'active') RETURNING id),
       subscription AS (INSERT INTO subscription (tenant_id, customer_id, service_id, tariff_id, status)
         SELECT $1, customer.id, service.id, tariff.id, 'active' FROM customer, service, tariff, generate_series(1, $2) RETURNING id),
       numbered AS (SELECT id, row_number() OVER () AS n FROM subscription)
     INSERT INTO credential (tenant_id, subscription_id, realm, user_name, password_cipher)
       SELECT $1, numbered.id, name.realm, name.user_name, '\\x00'
       FROM unnest($3::text[], $4::text[]) WITH ORDINALITY AS name (realm, user_name, n) JOIN numbered USING (n)`,
    [tenantId, names.length, names.map(([realm]) => realm), names.map(([, userName]) => userName)],
  );
}

async function setup(test: Parameters<typeof apiForTest>[0]) {
  const api = await apiForTest(test);
  const tenantId = await makeTenant(api, 'fiber');
  return { api, tenantId, call: await api.signIn('admin@fiber.example', 'fiber') };
}

t.test('a home server is made, changed and removed; its secret stays inside', async (t) => {
  const { api, tenantId, call } = await setup(t);
  const made = await call('POST', '/home-servers', { name: 'partner', address: '192.0.2.10', secret: 'hush' });
  t.match(made, {
    status: 201,
    body: {
      ...{ name: 'partner', address: '192.0.2.10', auth_port: 1812, acct_port: 1813, response_window_ms: 2000 },
      ...{ attempts: 1, health_check: 'status_server', message_authenticator: 'auto', max_outstanding: 2048 },
    },
  });
  t.notMatch(JSON.stringify(made.body), /hush|secret/);
  const { id } = made.body;
  const secret = async () => {
    const { rows } = await api.owner.query('SELECT host(address) AS address, secret_cipher FROM home_server');
    return api.keyring.decrypt('nas', homeServerPlace(tenantId, rows[0].address), rows[0].secret_cipher).toString();
  };
  t.equal(await secret(), 'hush');
  t.match(await call('PATCH', `/home-servers/${id}`, { address: '::ffff:192.0.2.11', attempts: 3 }), {
    body: { address: '192.0.2.11', attempts: 3 },
  });
  t.equal(await secret(), 'hush', 'it moved along');
  t.match(await call('PATCH', `/home-servers/${id}`, { secret: 'new' }), { status: 200 });
  t.equal(await secret(), 'new');
  t.match(await call('POST', '/home-servers', { name: 'partner', address: '192.0.2.12', secret: 's' }), {
    status: 409,
    body: { code: 'home_server_name_taken' },
  });
  t.match(await call('GET', '/home-servers?search=PART'), { body: { data: [{ id }], pagination: { total: 1 } } });
  t.match(await call('DELETE', `/home-servers/${id}`), { status: 204 });
  t.match(await call('GET', `/home-servers/${id}`), { status: 404, body: { code: 'home_server_unknown' } });
  const audit = await api.owner.query("SELECT detail::text FROM audit_log WHERE entity = 'home_server'");
  t.notMatch(JSON.stringify(audit.rows), /hush|"new"/);
});

t.test('a home server is one host, and none of our own ports', async (t) => {
  const { call } = await setup(t);
  const make = (more: object) =>
    call('POST', '/home-servers', { name: 'x', address: '192.0.2.1', secret: 's', ...more });
  for (const address of [
    '0.0.0.0',
    '::',
    '224.0.0.1',
    '255.255.255.255',
    'ff02::1',
    '10.0.0.0/8',
    'radius',
    'fe80::1',
  ]) {
    t.match(await make({ address }), { status: 400 }, address);
  }
  t.match(await make({ address: '127.0.0.1' }), { status: 422, body: { code: 'home_server_is_ours' } });
  t.match(await make({ address: '127.0.0.1', auth_port: 21812 }), { status: 422 }, 'accounting would go round');
  const made = await make({ address: '127.0.0.1', auth_port: 21812, acct_port: 21813 });
  t.equal(made.status, 201);
  t.match(await call('PATCH', `/home-servers/${made.body.id}`, { auth_port: 1812 }), {
    body: { code: 'home_server_is_ours' },
  });
  for (const wrong of [
    { attempts: 0 },
    { response_window_ms: 50 },
    { max_outstanding: 0 },
    { secret: '' },
    { auth_port: 0 },
  ])
    t.match(await make({ name: 'y', ...wrong }), { status: 400 }, JSON.stringify(wrong));
});

t.test('a realm names its home servers in order, in any case, and what their replies may bring', async (t) => {
  const { call } = await setup(t);
  const server = async (name: string, address: string) =>
    (await call('POST', '/home-servers', { name, address, secret: 's' })).body.id as number;
  const [first, second] = [await server('a', '192.0.2.1'), await server('b', '192.0.2.2')];
  const made = await call('POST', '/realms', {
    name: 'Partner.Example',
    home_server_ids: [second, first],
    reply_attributes: ['framed-ip-address', 'Tunnel-Password', 'ERX-LI-Action'],
  });
  t.match(made, {
    status: 201,
    body: {
      ...{ name: 'partner.example', home_server_ids: [second, first], authentication: 'forward', accounting: 'both' },
      ...{ choice: 'order', unreachable: 'silence', strip_user_name: false },
      reply_attributes: ['Framed-IP-Address', 'Tunnel-Password', 'ERX-LI-Action'],
    },
  });
  const { id } = made.body;
  t.match(await call('POST', '/realms', { name: 'PARTNER.example', home_server_ids: [first] }), {
    status: 409,
    body: { code: 'realm_name_taken' },
  });
  t.match(await call('POST', '/realms', { name: 'DEFAULT', home_server_ids: [first] }), {
    status: 201,
    body: { name: 'default', reply_attributes: null },
  });
  t.match(await call('POST', '/realms', { name: 'nowhere' }), {
    status: 422,
    body: { code: 'realm_without_home_server' },
  });
  t.match(
    await call('POST', '/realms', { name: 'ours', authentication: 'local', accounting: 'local' }),
    { status: 201 },
    'so that DEFAULT does not take it',
  );
  t.match(await call('PATCH', `/realms/${id}`, { home_server_ids: [] }), { status: 422 });
  t.match(await call('PATCH', `/realms/${id}`, { home_server_ids: [first], choice: 'spread' }), {
    body: {
      home_server_ids: [first],
      choice: 'spread',
      reply_attributes: ['Framed-IP-Address', 'Tunnel-Password', 'ERX-LI-Action'],
    },
  });
  t.match(await call('PATCH', `/realms/${id}`, { reply_attributes: null }), { body: { reply_attributes: null } });
  t.match(await call('PATCH', `/realms/${id}`, { reply_attributes: ['No-Such-Thing'] }), {
    status: 422,
    body: { code: 'attribute_refused', problems: [{ path: '/reply_attributes/0' }] },
  });
  for (const name of ['a@b', 'a b', 'a\\b', ''])
    t.match(await call('POST', '/realms', { name, home_server_ids: [first] }), { status: 400 }, name);
  t.match(await call('DELETE', `/home-servers/${first}`), { status: 409, body: { code: 'home_server_in_use' } });
  t.match(await call('GET', '/realms'), { body: { data: [{ id }, { name: 'default' }, { name: 'ours' }] } });
  t.match(await call('DELETE', `/realms/${id}`), { status: 204 });
  t.match(await call('GET', `/realms/${id}`), { status: 404, body: { code: 'realm_unknown' } });
  t.match(await call('DELETE', `/home-servers/${second}`), { status: 204 });
});

t.test('sessions that are let in here are counted here', async (t) => {
  const { api, tenantId, call } = await setup(t);
  const server = (await call('POST', '/home-servers', { name: 'a', address: '192.0.2.1', secret: 's' })).body.id;
  const refused = { status: 422, body: { code: 'realm_not_counted' } };
  const uncounted = { name: 'x.example', authentication: 'local', accounting: 'forward', home_server_ids: [server] };
  t.match(await call('POST', '/realms', uncounted), refused);
  const { id } = (await call('POST', '/realms', { ...uncounted, accounting: 'both' })).body;
  t.match(await call('PATCH', `/realms/${id}`, { accounting: 'forward' }), refused);
  t.match(await call('PATCH', `/realms/${id}`, { accounting: 'forward', authentication: 'forward' }), { status: 200 });
  t.match(await call('PATCH', `/realms/${id}`, { authentication: 'local' }), refused);
  await t.rejects(
    api.owner.query(
      `INSERT INTO realm (tenant_id, name, authentication, accounting) VALUES ($1, 'y', 'local', 'forward')`,
      [tenantId],
    ),
    /realm_not_counted/,
  );
});

t.test(
  'how many subscribers a realm takes away is told, and many go only when their number is confirmed',
  async (t) => {
    const { api, tenantId, call } = await setup(t);
    const { id: homeServer } = (await call('POST', '/home-servers', { name: 'a', address: '192.0.2.1', secret: 's' }))
      .body;
    const forwarded = { home_server_ids: [homeServer] };
    await subscribers(api, tenantId, [
      ...Array.from({ length: 51 }, (_, index): Name => ['', `user${index}@Big.example`]),
      ...Array.from({ length: 3 }, (_, index): Name => ['', `CORP\\user${index}`]),
      ['Small.example', 'anna'],
      ['', 'x@y@small.example'],
      ['', 'both\\z@elsewhere.example'],
      ...Array.from({ length: 10 }, (_, index): Name => ['', `user${index}`]),
      ['', 'ends.with@'],
      [':mac', '02000000000a'],
    ]);
    const other = await makeTenant(api, 'other');
    await subscribers(api, other, [['', 'theirs@small.example']]);

    const small = await call('POST', '/realms', { name: 'SMALL.example', ...forwarded });
    t.match(small, { status: 201, body: { subscribers: 2 } });
    t.match(await call('GET', `/realms/${small.body.id}`), { body: { subscribers: 2 } });
    t.match(await call('POST', '/realms', { name: 'corp', ...forwarded }), { body: { subscribers: 3 } });
    t.match(await call('POST', '/realms', { name: 'both', ...forwarded }), { body: { subscribers: 1 } });

    const big = { name: 'big.example', ...forwarded };
    const unconfirmed = { status: 409, body: { code: 'realm_takeover_unconfirmed', detail: /51 subscribers/ } };
    t.match(await call('POST', '/realms', big), unconfirmed);
    t.match(await call('POST', '/realms', { ...big, confirm_count: 50 }), unconfirmed, 'that is not how many they are');
    t.match(await call('POST', '/realms?dry_run=true', big), { status: 201, body: { subscribers: 51 } });
    const made = await call('POST', '/realms', { ...big, status: 'inactive' });
    t.match(made, { status: 201, body: { subscribers: 0 } }, 'what is switched off takes nobody');
    t.match(await call('PATCH', `/realms/${made.body.id}`, { status: 'active' }), unconfirmed);
    t.match(await call('PATCH', `/realms/${made.body.id}`, { status: 'active', confirm_count: 51 }), {
      body: { subscribers: 51 },
    });
    t.match(
      await call('PATCH', `/realms/${made.body.id}`, { choice: 'spread' }),
      { status: 200, body: { subscribers: 51 } },
      'who is gone already need not be confirmed again',
    );
    await call('PATCH', `/realms/${made.body.id}`, { authentication: 'local', accounting: 'local' });

    t.match(await call('POST', '/realms', { name: 'DEFAULT', ...forwarded }), {
      body: { subscribers: 0 },
    });
    t.match(await call('DELETE', `/realms/${made.body.id}`), unconfirmed, 'DEFAULT would have them');
    t.match(await call('DELETE', `/realms/${made.body.id}?confirm_count=51`), { status: 204 });
    t.match(await call('GET', '/realms'), { body: { data: [{}, {}, {}, { name: 'default' }] } });
  },
);

t.test('DEFAULT takes every subscriber whose realm has no entry', async (t) => {
  const { api, tenantId, call } = await setup(t);
  const server = (await call('POST', '/home-servers', { name: 'a', address: '192.0.2.1', secret: 's' })).body.id;
  await subscribers(api, tenantId, [
    ...Array.from({ length: 60 }, (_, index): Name => ['', `user${index}@isp${index % 3}.example`]),
    ['', 'user'],
  ]);
  await call('POST', '/realms', { name: 'isp0.example', authentication: 'local', accounting: 'local' });
  t.match(await call('POST', '/realms', { name: 'default', home_server_ids: [server] }), {
    status: 201,
    body: { subscribers: 40 },
  });
  for (const { id } of (await call('GET', '/realms?sort=-id')).body.data)
    t.match(await call('DELETE', `/realms/${id}`), { status: 204 });
  t.match(await call('POST', '/realms', { name: 'default', home_server_ids: [server] }), {
    status: 409,
    body: { code: 'realm_takeover_unconfirmed', detail: /60/ },
  });
});

t.test('the accounting is copied to a home server, all of it or that of one access server', async (t) => {
  const { call } = await setup(t);
  const server = (await call('POST', '/home-servers', { name: 'b', address: '192.0.2.1', secret: 's' })).body.id;
  const nas = (await call('POST', '/nas', { name: 'n', address: '10.9.9.9', secret: 's' })).body.id;
  const made = await call('POST', '/accounting-copies', { name: 'billing', home_server_id: server, nas_id: nas });
  t.match(made, { status: 201, body: { name: 'billing', home_server_id: server, nas_id: nas, status: 'active' } });
  const { id } = made.body;
  t.match(await call('PATCH', `/accounting-copies/${id}`, { nas_id: null }), { body: { nas_id: null } });
  t.match(await call('PATCH', `/accounting-copies/${id}`, { nas_id: 99_999 }), {
    status: 400,
    body: { code: 'reference_unknown' },
  });
  t.match(await call('POST', '/accounting-copies', { name: 'x', home_server_id: 99_999 }), { status: 400 });
  t.match(await call('POST', '/accounting-copies', { name: 'billing', home_server_id: server }), {
    status: 409,
    body: { code: 'accounting_copy_name_taken' },
  });
  t.match(await call('DELETE', `/home-servers/${server}`), { status: 409, body: { code: 'home_server_in_use' } });
  t.match(await call('GET', `/accounting-copies?home_server_id=${server}`), { body: { data: [{ id }] } });
  t.match(await call('DELETE', `/accounting-copies/${id}`), { status: 204 });
  t.match(await call('DELETE', `/home-servers/${server}`), { status: 204 });
});

t.test('what is named by others stays, also when they name it at that very moment', async (t) => {
  const { api, tenantId, call } = await setup(t);
  const server = (await call('POST', '/home-servers', { name: 'b', address: '192.0.2.1', secret: 's' })).body.id;
  const nas = (await call('POST', '/nas', { name: 'n', address: '10.9.9.9', secret: 's' })).body.id;
  const copy = await call('POST', '/accounting-copies', { name: 'billing', home_server_id: server, nas_id: nas });
  t.match(await call('DELETE', `/nas/${nas}`), {
    status: 409,
    body: { code: 'nas_in_use', detail: 'accounting copy billing names it' },
  });
  await call('DELETE', `/accounting-copies/${copy.body.id}`);
  const pool = await call('POST', '/pools', { name: 'homes', family: 'ipv4', nas_id: nas });
  t.match(await call('DELETE', `/nas/${nas}`), {
    status: 409,
    body: { code: 'nas_in_use', detail: 'address pool homes names it' },
  });
  t.match(await call('DELETE', `/pools/${pool.body.id}`), { status: 204 });

  await api.owner.query('BEGIN');
  await api.owner.query(
    `INSERT INTO accounting_copy (tenant_id, name, home_server_id, nas_id) VALUES ($1, 'late', $2, $3)`,
    [tenantId, server, nas],
  );
  const removals = Promise.all([call('DELETE', `/nas/${nas}`), call('DELETE', `/home-servers/${server}`)]);
  const waiting = `SELECT count(DISTINCT l.pid)::int AS n FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE NOT l.granted AND a.datname = current_database()`;
  const bothWait = async () => {
    // Else a transaction sees the connections of its first look.
    await api.owner.query('SELECT pg_stat_clear_snapshot()');
    return (await api.owner.query(waiting)).rows[0].n === 2;
  };
  await until(bothWait, 'both wait for the copy', 15_000);
  await api.owner.query('COMMIT');
  t.match(await removals, [
    { status: 409, body: { code: 'nas_in_use' } },
    { status: 409, body: { code: 'home_server_in_use' } },
  ]);
});

t.test('an operator sees where requests go, and changes nothing of it', async (t) => {
  const { api, tenantId } = await setup(t);
  await makeUser(api, 'op@fiber.example', 'operator', tenantId);
  const call = await api.signIn('op@fiber.example', 'fiber');
  t.match(await call('GET', '/realms'), { status: 200 });
  t.match(await call('POST', '/home-servers', { name: 'x', address: '192.0.2.1', secret: 's' }), { status: 403 });
  t.match(await call('POST', '/realms', { name: 'x' }), { status: 403 });
});

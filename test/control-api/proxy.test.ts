// Home servers, realms and accounting copies in the API: what they may be, and what refuses to go.
import t from 'tap';
import { homeServerPlace } from '#policy/proxy/settings.ts';
import { apiForTest, makeTenant, makeUser } from './api.ts';

t.setTimeout(120_000);

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

t.test('an operator sees where requests go, and changes nothing of it', async (t) => {
  const { api, tenantId } = await setup(t);
  await makeUser(api, 'op@fiber.example', 'operator', tenantId);
  const call = await api.signIn('op@fiber.example', 'fiber');
  t.match(await call('GET', '/realms'), { status: 200 });
  t.match(await call('POST', '/home-servers', { name: 'x', address: '192.0.2.1', secret: 's' }), { status: 403 });
  t.match(await call('POST', '/realms', { name: 'x' }), { status: 403 });
});

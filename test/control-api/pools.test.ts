// Address pools and devices in the API: ranges that never overlap, use, leases, and what refuses to go.
import t from 'tap';
import { apiForTest, type Call, makeTenant } from './api.ts';

t.setTimeout(120_000);

async function setup(test: Parameters<typeof apiForTest>[0]) {
  const api = await apiForTest(test);
  const tenantId = await makeTenant(api, 'fiber');
  return { api, tenantId, call: await api.signIn('admin@fiber.example', 'fiber') };
}

async function service(call: Call, more: object = {}) {
  const plan = { bandwidth_down: 20, bandwidth_up: 5, monthly_fee: '10.00' };
  return call('POST', '/services/internet', { name: `net ${Math.random()}`, ...plan, ...more });
}

t.test('a pool is made with its ranges, changed, grown, drained and removed', async (t) => {
  const { api, call } = await setup(t);
  const made = await call('POST', '/pools', {
    name: 'homes',
    family: 'ipv4',
    ranges: [{ prefix: '100.64.0.0/24' }, { first: '100.64.2.1', last: '100.64.2.10' }],
  });
  t.match(made, {
    status: 201,
    body: {
      ...{
        name: 'homes',
        family: 'ipv4',
        unit_length: 32,
        on_exhausted: 'reject',
        cool_down_s: 300,
        size: 266,
        usage: null,
      },
      ranges: [
        { first: '100.64.0.0', last: '100.64.0.255', size: 256, draining: false, used: null },
        { first: '100.64.2.1', last: '100.64.2.10', size: 10 },
      ],
    },
  });
  const { id, ranges } = made.body;
  const rangeId = ranges[0].id;
  api.network.uses.set(id, { used: 3, exhausted: 1, conflicts: 0, recoveries: 0, byRange: new Map([[rangeId, 3]]) });
  t.match(await call('GET', `/pools/${id}`), {
    body: { usage: { used: 3, exhausted: 1 }, ranges: [{ used: 3 }, { used: 0 }] },
  });
  t.match(await call('GET', '/pools?search=home'), {
    body: { data: [{ id, usage: { used: 3 } }], pagination: { total: 1 } },
  });
  t.match(await call('PATCH', `/pools/${id}`, { on_exhausted: 'nas', reserve: 8 }), {
    body: { on_exhausted: 'nas', reserve: 8 },
  });
  t.match(await call('POST', `/pools/${id}/ranges`, { prefix: '100.64.3.0/30' }), { status: 201, body: { size: 270 } });
  t.match(await call('PATCH', `/pools/${id}/ranges/${rangeId}`, { draining: true }), { body: { size: 14 } });
  t.match(await call('DELETE', `/pools/${id}/ranges/${ranges[1].id}`), { status: 409, body: { code: 'pool_in_use' } });
  t.match(await call('DELETE', `/pools/${id}/ranges/${rangeId}`), { status: 409, body: { code: 'pool_in_use' } });
  t.match(await call('DELETE', `/pools/${id}`), { status: 409, body: { code: 'pool_in_use' } });
  api.network.uses.delete(id);
  t.match(await call('DELETE', `/pools/${id}/ranges/${rangeId}`), { status: 204 });
  t.match(await call('DELETE', `/pools/${id}`), { status: 204 });
  t.match(await call('GET', `/pools/${id}`), { status: 404, body: { code: 'pool_unknown' } });
});

t.test('no address is in two ranges, nor in a range and assigned', async (t) => {
  const { api, tenantId, call } = await setup(t);
  const pool = (name: string, prefix: string, family = 'ipv4') =>
    call('POST', '/pools', { name, family, ranges: [{ prefix }] });
  t.match(await pool('a', '10.0.0.0/24'), { status: 201 });
  t.match(await pool('b', '10.0.0.128/25'), { status: 409, body: { code: 'pool_range_overlaps' } });
  t.match(await pool('a', '10.0.9.0/24'), { status: 409, body: { code: 'pool_name_taken' } });
  t.match(await pool('c', '2001:db8::/48', 'ipv6_prefix'), { status: 201, body: { unit_length: 64, size: 65_536 } });
  t.match(await pool('d', '2001:db8:0:100::/56', 'delegated_prefix'), {
    status: 409,
    body: { code: 'pool_range_overlaps' },
  });
  const { rows } = await api.owner.query(
    "INSERT INTO customer (tenant_id, account_number, name) VALUES ($1, '123456', 'x') RETURNING id",
    [tenantId],
  );
  const { body } = await service(call);
  const taken = await call('POST', `/customers/${rows[0].id}/services`, {
    ...{ service_id: body.id, user_name: 'u', password: 'p', addresses: [{ kind: 'ipv4', prefix: '10.1.0.7' }] },
  });
  t.equal(taken.status, 201);
  t.match(await pool('e', '10.1.0.0/24'), { status: 409, body: { code: 'pool_range_assigned' } });
  t.match(await call('POST', `/subscriptions/${taken.body.id}/addresses`, { kind: 'ipv4', prefix: '10.0.0.3' }), {
    status: 409,
    body: { code: 'address_in_pool' },
  });
  await makeTenant(api, 'other');
  const other = await api.signIn('admin@other.example', 'other');
  t.match(
    await other('POST', '/pools', { name: 'a', family: 'ipv4', ranges: [{ prefix: '10.0.0.0/24' }] }),
    { status: 201 },
    'another tenant',
  );
});

t.test('what is no range of the pool is refused', async (t) => {
  const { call } = await setup(t);
  const wrong = [
    ['ipv4', { prefix: '2001:db8::/48' }],
    ['ipv4', { prefix: '10.0.0.1/24' }],
    ['ipv4', { first: '10.0.0.9', last: '10.0.0.1' }],
    ['ipv4', { first: '10.0.0.9', last: '::1' }],
    ['ipv6_prefix', { prefix: '10.0.0.0/24' }],
    ['ipv6_prefix', { prefix: '2001:db8::/80' }],
    ['delegated_prefix', { prefix: '2001::/16' }],
    ['delegated_prefix', { first: '10.0.0.1', last: '10.0.0.2' }],
  ] as const;
  for (const [family, range] of wrong) {
    const { status } = await call('POST', '/pools', { name: 'x', family, ranges: [range] });
    t.equal(status, 400, `${family} ${JSON.stringify(range)}`);
  }
  const v4 = await call('POST', '/pools', { name: 'v4', family: 'ipv4' });
  const v6 = await call('POST', '/pools', { name: 'v6', family: 'ipv6_prefix' });
  t.match(await call('PATCH', `/pools/${v4.body.id}`, { fallback_id: v6.body.id }), {
    status: 409,
    body: { code: 'pool_fallback_refused' },
  });
  t.match(await call('PATCH', `/pools/${v4.body.id}`, { fallback_id: v4.body.id }), { status: 400 });
  t.match(await call('PATCH', `/pools/${v4.body.id}`, { nas_id: 99_999 }), {
    status: 400,
    body: { code: 'reference_unknown' },
  });
});

t.test('leases are listed by their addresses, and one is released', async (t) => {
  const { api, call } = await setup(t);
  const { body } = await call('POST', '/pools', {
    name: 'a',
    family: 'delegated_prefix',
    ranges: [{ prefix: '2001:db8::/48' }],
  });
  const unit = `${body.ranges[0].id}:2`;
  api.network.leases.set(body.id, [{ unit, state: 'live', sinceMs: 0, subscriptionId: 9, sessionKey: 's' }]);
  t.strictSame((await call('GET', `/pools/${body.id}/leases?state=live`)).body, {
    data: [{ address: '2001:db8:0:200::/56', state: 'live', since: '1970-01-01T00:00:00.000Z', subscription_id: 9 }],
    next_cursor: null,
  });
  t.strictSame((await call('GET', `/pools/${body.id}/leases?state=held`)).body.data, []);
  const release = (address: string) => call('POST', `/pools/${body.id}/leases/release`, { address });
  t.match(await release('2001:db8:0:300::/56'), { status: 404, body: { code: 'lease_unknown' } });
  t.match(await release('10.0.0.1'), { status: 404, body: { code: 'lease_unknown' } });
  t.match(await release('2001:db8:0:200::/56'), { status: 204 });
  t.match(await release('2001:db8:0:200::/56'), { status: 404 });
});

t.test('tariffs and subscriptions name pools and limits; a named pool stays', async (t) => {
  const { api, tenantId, call } = await setup(t);
  const pool = (await call('POST', '/pools', { name: 'a', family: 'ipv4' })).body.id;
  const made = await service(call, { ipv4_pool_id: pool, mac_limit: 2, mac_mode: 'replace' });
  t.match(made, { status: 201, body: { ipv4_pool_id: pool, session_limit: 1, mac_limit: 2, mac_mode: 'replace' } });
  t.match(await call('DELETE', `/pools/${pool}`), { status: 409, body: { code: 'pool_in_use' } });
  const { rows } = await api.owner.query(
    "INSERT INTO customer (tenant_id, account_number, name) VALUES ($1, '123456', 'x') RETURNING id",
    [tenantId],
  );
  const subscribed = await call('POST', `/customers/${rows[0].id}/services`, {
    service_id: made.body.id,
    user_name: 'u',
    password: 'p',
  });
  const { id } = subscribed.body;
  t.match(subscribed.body.network, { ipv4_pool_id: null, session_limit: null });
  t.match(await call('PATCH', `/subscriptions/${id}`, { network: { session_limit: 3 } }), {
    body: { network: { session_limit: 3, mac_limit: null } },
  });
  api.network.macs.set(id, [
    { address: '001122334455', seenAtMs: 0 },
    { address: '66778899aabb', seenAtMs: 5 },
  ]);
  t.match(await call('GET', `/subscriptions/${id}/devices`), { body: { data: [{ mac: '001122334455' }, {}] } });
  t.match(await call('DELETE', `/subscriptions/${id}/devices/00:11:22:33:44:55`), { status: 204 });
  t.match(await call('DELETE', `/subscriptions/${id}/devices/00:11:22:33:44:55`), {
    status: 404,
    body: { code: 'device_unknown' },
  });
  t.match(await call('DELETE', `/subscriptions/${id}/devices`), { status: 204 });
  t.strictSame((await call('GET', `/subscriptions/${id}/devices`)).body.data, []);
});

t.test('a tenant says what becomes of refused logins', async (t) => {
  const { api, tenantId } = await setup(t);
  await api.owner.query('SELECT 1');
  const { makeUser } = await import('./api.ts');
  await makeUser(api, 'root@example.com', 'super_admin', null);
  const root = await api.signIn('root@example.com');
  const refused_logins = { expired: { framed_pool: 'garden', session_timeout_s: 120 } };
  t.match(await root('PATCH', `/tenants/${tenantId}`, { refused_logins, session_mode: 'refuse' }), {
    body: { refused_logins, session_mode: 'refuse' },
  });
  t.match(await root('PATCH', `/tenants/${tenantId}`, { refused_logins: { expired: {} } }), { status: 400 });
});

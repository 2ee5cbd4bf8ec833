// What an operator does in a day: catalog, customer, subscription, holds, moves, the end of it.
import { createHash, createHmac } from 'node:crypto';
import t from 'tap';
import { apiForTest, type Body, makeTenant } from './api.ts';

t.test('the life of a customer', async (t) => {
  const api = await apiForTest(t);
  await makeTenant(api, 'fiber');
  const call = await api.signIn('admin@fiber.example', 'fiber');
  const ok = async (method: string, url: string, body?: unknown, headers?: Record<string, string>) => {
    const reply = await call(method, url, body, headers);
    if (reply.status >= 300) throw new Error(`${method} ${url}: ${reply.status} ${JSON.stringify(reply.body)}`);
    return reply.body;
  };
  const basic = await ok('POST', '/services/internet', {
    name: 'Basic',
    bandwidth_down: 20,
    bandwidth_up: 5.125,
    monthly_fee: '29.99',
    suspend_action: 'reject',
    fup_rules: [
      { window: 'day', threshold_gb: 10, effect: { kind: 'speed', bandwidth_down: 2, bandwidth_up: 2 } },
      {
        window: 'month',
        direction: 'down',
        threshold_gb: 0.5,
        effect: { kind: 'block' },
        active: { weekdays: [1, 2], from: '18:30', to: '24:00' },
      },
    ],
  });
  let customer: Body;
  let id = 0;

  await t.test('a service is shown as it was put in, and stored in bits, bytes and minor units', async (t) => {
    t.match(basic, { bandwidth_down: 20, bandwidth_up: 5.125, monthly_fee: '29.99', currency: 'USD', version: 1 });
    t.match(basic.fup_rules[1], { direction: 'down', threshold_gb: 0.5, active: { from: '18:30', to: '24:00' } });
    const { rows } = await api.owner.query('SELECT up_bps, monthly_fee_minor, fup_rules FROM tariff');
    t.match(rows, [{ up_bps: '5125000', monthly_fee_minor: '2999' }]);
    t.strictSame(rows[0].fup_rules[0], {
      window: 'day',
      effect: { kind: 'speed', upBps: 2_000_000, downBps: 2_000_000 },
      direction: 'total',
      thresholdBytes: 10_000_000_000,
    });
  });

  await t.test('a customer gets account numbers with a check digit, one after the other', async (t) => {
    customer = await ok('POST', '/customers', {
      name: 'Rahima Begum',
      email: 'Rahima@Example.com',
      phone: '+8801711000000',
    });
    t.match(customer, { account_number: '100008', status: 'new', email: 'rahima@example.com' });
    await ok('POST', '/customers', { name: 'taken over', account_number: '100016' });
    t.equal(
      (await ok('POST', '/customers', { name: 'second' })).account_number,
      '100024',
      'the taken one is passed by',
    );
    t.equal(
      (await call('POST', '/customers', { name: 'x', account_number: '100016' })).body.code,
      'account_number_taken',
    );
  });

  await t.test('a customer is found by account number, e-mail, phone, user name and part of the name', async (t) => {
    for (const search of ['100008', 'RAHIMA@example.com', '%2B8801711000000', 'hima', 'BEGUM'])
      t.match((await ok('GET', `/customers?search=${search}`)).data, [{ id: customer.id }], search);
    t.same((await ok('GET', '/customers?search=100%25')).data, []);
  });

  await t.test('a subscription is made with its user name and password', async (t) => {
    const made = await call('POST', `/customers/${customer.id}/services`, {
      service_id: basic.id,
      user_name: 'rahima',
      password: 'pass123',
      paid_until: '2027-01-31T18:00:00Z',
      addresses: [{ kind: 'ipv4', prefix: '10.0.0.7' }],
    });
    t.equal(made.status, 201, JSON.stringify(made.body));
    id = made.body.id;
    t.match(made.body, {
      status: 'active',
      user_name: 'rahima',
      paid_until: '2027-01-31T18:00:00.000Z',
      expired: false,
      addresses: [{ prefix: '10.0.0.7/32' }],
      tariff: { version: 1 },
    });
    t.notMatch(JSON.stringify(made.body), /pass123/);
    const { rows } = await api.owner.query('SELECT tenant_id, password_cipher FROM credential');
    t.equal(
      api.keyring.decrypt('credential', `${rows[0].tenant_id}::rahima`, rows[0].password_cipher).toString(),
      'pass123',
    );
    const again = await call('POST', `/customers/${customer.id}/services`, {
      service_id: basic.id,
      user_name: 'rahima',
      password: 'x',
    });
    t.match(again, { status: 409, body: { code: 'user_name_taken' } });
    const overlap = await call('POST', `/subscriptions/${id}/addresses`, {
      kind: 'framed_route',
      prefix: '10.0.0.0/29',
    });
    t.match(overlap, { status: 409, body: { code: 'address_in_use' } });
  });

  await t.test('an idempotency key gives the first answer again, and refuses another request', async (t) => {
    const body = { name: 'once' };
    const first = await ok('POST', '/customers', body, { 'idempotency-key': 'k1' });
    const [second, third] = await Promise.all([
      ok('POST', '/customers', body, { 'idempotency-key': 'k1' }),
      ok('POST', '/customers', body, { 'idempotency-key': 'k1' }),
    ]);
    t.same([second, third], [first, first]);
    t.match(await call('POST', '/customers', { name: 'other' }, { 'idempotency-key': 'k1' }), {
      status: 422,
      body: { code: 'idempotency_key_reused' },
    });
    const both = await Promise.all([1, 2, 3].map(() => ok('POST', '/customers', body, { 'idempotency-key': 'k2' })));
    t.equal(new Set(both.map(({ id }) => id)).size, 1, 'also when they come at once');
  });

  await t.test(
    'what is kept of a request under an idempotency key cannot be guessed without the key ring',
    async (t) => {
      const { rows } = await api.owner.query("SELECT body_hash FROM idempotency_key WHERE key = 'k1'");
      const content = JSON.stringify({ params: {}, body: { name: 'once' }, dryRun: false });
      t.notSame(rows[0].body_hash, createHash('sha256').update(content).digest());
      const key = api.keyring.derive('idempotency');
      t.same(rows[0].body_hash, createHmac('sha256', key).update(content).digest());
    },
  );

  await t.test('a dry run answers as if done and keeps nothing', async (t) => {
    const made = await call('POST', '/customers?dry_run=true', { name: 'nobody' });
    t.equal(made.status, 201);
    t.equal((await call('GET', `/customers/${made.body.id}`)).status, 404);
  });

  await t.test('the exact user name comes first in a search', async (t) => {
    for (const name of ['rahima2', 'rahima10'])
      await ok('POST', `/customers/${customer.id}/services`, { service_id: basic.id, user_name: name, password: 'x' });
    const found = await ok('GET', '/subscriptions?search=rahima');
    t.same(found.data[0].id, id);
    t.equal(found.pagination.total, 3);
    t.match((await ok('GET', '/subscriptions?search=rahima1')).data, [{ user_name: 'rahima10' }]);
  });

  await t.test('pages and cursors walk the whole list once', async (t) => {
    const seen: number[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: Body = await ok('GET', `/customers?sort=name&per_page=2${cursor && `&cursor=${cursor}`}`);
      seen.push(...page.data.map((one: Body) => one.id));
      cursor = page.pagination.next_cursor;
    }
    const all = await ok('GET', '/customers?sort=name');
    t.same(
      seen,
      all.data.map((one: Body) => one.id),
    );
    t.match(all.pagination, { page: 1, per_page: 50, total: all.data.length, total_estimated: false });
    t.match(await call('GET', '/customers?sort=-name&cursor=AAAA'), { status: 400, body: { code: 'invalid_cursor' } });
    t.match((await ok('GET', `/customers?id__in=${seen[0]},${seen[1]}&sort=id`)).pagination, { total: 2 });
    t.match((await ok('GET', '/services?price_min=29.99&price_max=30')).data, [{ id: basic.id }]);
    t.same((await ok('GET', '/services?price_min=30')).data, []);
  });

  await t.test('holds make it suspended; each is lifted by its name', async (t) => {
    const held = await ok('POST', `/subscriptions/${id}/suspend`, { reason: 'non_payment' });
    t.match(held, { status: 'suspended', holds: [{ reason: 'non_payment', until: null }] });
    await ok('PATCH', `/customers/${customer.id}/services/${id}/suspend`, {
      reason: 'abuse',
      until: '2099-01-01T00:00:00Z',
    });
    t.match((await ok('GET', '/subscriptions?status=suspended')).data, [{ id }]);
    t.match(await ok('POST', `/subscriptions/${id}/reactivate`, { reason: 'non_payment' }), { status: 'suspended' });
    t.match(await call('POST', `/subscriptions/${id}/reactivate`, { reason: 'fraud' }), {
      status: 409,
      body: { code: 'hold_not_standing' },
    });
    t.match(await ok('POST', `/subscriptions/${id}/reactivate`, { reason: 'abuse' }), { status: 'active', holds: [] });
    await ok('POST', `/subscriptions/${id}/suspend`, { reason: 'admin', until: '2020-01-01T00:00:00Z' });
    t.match(await ok('GET', `/subscriptions/${id}`), { status: 'active' }, 'a hold whose time is over does not stand');
  });

  await t.test('paid_until notes when it was set; an expired one is shown', async (t) => {
    const before = (await api.owner.query('SELECT paid_until_set_at AS at FROM subscription WHERE id = $1', [id]))
      .rows[0].at;
    t.match(await ok('PATCH', `/subscriptions/${id}`, { paid_until: '2020-01-01T00:00:00Z' }), { expired: true });
    const after = (await api.owner.query('SELECT paid_until_set_at AS at FROM subscription WHERE id = $1', [id]))
      .rows[0].at;
    t.ok(after > before);
    t.match(await ok('PATCH', `/subscriptions/${id}`, { paid_until: null }), { expired: false, paid_until: null });
  });

  await t.test('the meter is switched at a quarter of an hour ahead, once in 24 hours', async (t) => {
    const quarterMs = 900_000;
    const patch = (change: object) => call('PATCH', `/subscriptions/${id}`, change);
    const refused = (code: string) => ({ status: 409, body: { code } });
    const at = (ms: number) => new Date(ms).toISOString();
    const edge = Math.ceil(Date.now() / quarterMs) * quarterMs;
    t.match(await ok('GET', `/subscriptions/${id}`), { meter: 'radius', meter_since: null });
    for (const meter_since of [at(edge + 3 * quarterMs + 1000), at(edge - quarterMs), at(edge - 86_400_000)])
      t.match(await patch({ meter: 'flow', meter_since }), refused('meter_since_refused'), meter_since);
    for (const change of [{ meter_since: at(edge) }, { meter: 'radius', meter_since: at(edge + 8 * quarterMs) }])
      t.match(await patch(change), { status: 400, body: { code: 'validation_failed' } });
    t.match(
      await ok('PATCH', `/subscriptions/${id}`, { meter: 'radius' }),
      { meter_since: null },
      'it is the one already',
    );
    const earliest = Date.now() + quarterMs;
    const switched = await ok('PATCH', `/subscriptions/${id}`, { meter: 'flow' });
    const since = Date.parse(switched.meter_since);
    t.equal(switched.meter, 'flow');
    t.equal(since % quarterMs, 0);
    t.ok(since >= earliest && since <= Date.now() + 2 * quarterMs, switched.meter_since);
    t.match(await ok('GET', `/subscriptions/${id}`), { meter: 'flow', meter_since: switched.meter_since });
    t.match(await patch({ meter: 'radius' }), refused('meter_switched_lately'));
    t.match(await patch({ meter: 'radius', meter_since: at(since + 86_400_000) }), refused('meter_switched_lately'));
    const earlier = (hours: number) => [at(Math.floor(Date.now() / quarterMs) * quarterMs - hours * 3_600_000), id];
    await api.owner.query('ALTER TABLE subscription DISABLE TRIGGER USER');
    await api.owner.query('UPDATE subscription SET meter_since = $1 WHERE id = $2', earlier(23));
    await api.owner.query('ALTER TABLE subscription ENABLE TRIGGER USER');
    t.match(await patch({ meter: 'radius' }), refused('meter_switched_lately'));
    t.match(await patch({ meter: 'radius', meter_since: at(edge + 8 * quarterMs) }), {
      status: 200,
      body: { meter: 'radius' },
    });
    const { rows } = await api.owner.query(
      "SELECT detail FROM audit_log WHERE detail ? 'meter' AND entity_id = $1 ORDER BY id",
      [id],
    );
    t.match(rows.at(-1), { detail: { meter: 'radius' } });
    const flow = { service_id: basic.id, user_name: 'by.flow', password: 'x', meter: 'flow' };
    const made = await call('POST', `/customers/${customer.id}/services`, flow);
    t.match(made, { status: 201, body: { meter: 'flow', meter_since: null } });
    await ok('POST', `/subscriptions/${made.body.id}/terminate`, { reason: 'other' });
    t.match(
      await call('PATCH', `/subscriptions/${made.body.id}`, { meter: 'radius' }),
      refused('subscription_terminated'),
    );
    const between =
      "UPDATE subscription SET meter = 'flow', meter_since = now() + interval '1 day 7 seconds' WHERE id = $1";
    const error = await api.owner.query(between, [id]).catch((failure: unknown) => failure);
    t.match(error, { constraint: 'subscription_meter_quarter' });
  });

  await t.test('user name and password change together with their encryption', async (t) => {
    await ok('PATCH', `/subscriptions/${id}`, { user_name: 'rahima.b' });
    const { rows } = await api.owner.query(
      'SELECT tenant_id, password_cipher FROM credential WHERE subscription_id = $1',
      [id],
    );
    const place = `${rows[0].tenant_id}::rahima.b`;
    t.equal(api.keyring.decrypt('credential', place, rows[0].password_cipher).toString(), 'pass123');
  });

  await t.test('a stored hash is taken over, and told which methods it can serve', async (t) => {
    const shown = await ok('PATCH', `/subscriptions/${id}`, {
      password: { scheme: 'nt', value: '44ebba8d5312b8d611474411f56989ae' },
    });
    const [first] = shown.credentials;
    t.match(first, { kind: 'login', user_name: 'rahima.b', scheme: 'nt' });
    t.same(first.serves, ['pap', 'mschap', 'eap_gtc', 'eap_mschapv2']);
    const refused = await call('PATCH', `/subscriptions/${id}`, { password: { scheme: 'ssha', value: 'abc' } });
    t.match(refused, {
      status: 400,
      body: { problems: [{ path: '/password/value', message: /20 octets and a salt/ }] },
    });
    const dear = { scheme: 'crypt', value: '$sha1$4294967295$salt$x' };
    t.match(await call('PATCH', `/subscriptions/${id}`, { password: dear }), {
      status: 400,
      body: { problems: [{ path: '/password/value', message: /must be a hash of crypt/ }] },
    });
    const unknown = { scheme: 'crypt', value: '$2b$05$no-salt-of-bcrypt' };
    t.match(await call('PATCH', `/subscriptions/${id}`, { password: unknown }), {
      status: 409,
      body: { code: 'password_scheme_unavailable' },
    });
    t.match(await ok('PATCH', `/subscriptions/${id}`, { password: 'pass123' }), {
      credentials: [{ scheme: 'clear', serves: ['pap', 'chap', 'mschap', 'eap_md5', 'eap_gtc', 'eap_mschapv2'] }],
    });
  });

  await t.test('a subscription may have further logins, MAC addresses and lines', async (t) => {
    const add = (body: object) => call('POST', `/subscriptions/${id}/credentials`, body);
    t.match(await add({ kind: 'mac', mac: '00-1B-44-11-3A-B7' }), { status: 201 });
    t.match(await add({ kind: 'mac', mac: '001b.4411.3ab7' }), { status: 409, body: { code: 'user_name_taken' } });
    t.match(await add({ kind: 'mac', mac: '00:1b:44' }), { status: 400 });
    t.match(await add({ kind: 'line' }), { status: 400 });
    t.match(await add({ kind: 'login', user_name: 'x', realm: ':mac', password: 'x' }), { status: 400 });
    t.match(await add({ kind: 'line', circuit_id: 'olt1 eth 1/1:100', remote_id: '0x0006deadbeef' }), { status: 201 });
    const made = await add({
      kind: 'login',
      user_name: 'tablet',
      password: { scheme: 'ssha', value: '7e5bLXxzLq0Z3bsvYAUcCNFFvXtzYWx0' },
    });
    t.match(made.body.credentials, [
      { kind: 'login', user_name: 'rahima.b' },
      { kind: 'mac', user_name: '001b44113ab7', realm: null, scheme: 'none', serves: [] },
      { kind: 'line', circuit_id: 'olt1 eth 1/1:100', remote_id: '0x0006deadbeef' },
      { kind: 'login', user_name: 'tablet', serves: ['pap', 'eap_gtc'] },
    ]);
    t.match(made.body, { user_name: 'rahima.b' }, 'the first login is that of the subscription');
    const [, mac, , tablet] = made.body.credentials;
    const at = `/subscriptions/${id}/credentials`;
    t.match(await call('PATCH', `${at}/${mac.id}`, { user_name: 'x' }), { body: { code: 'credential_unknown' } });
    const changed = await ok('PATCH', `${at}/${tablet.id}`, { password: 'clear now' });
    t.match(changed.credentials[3], { user_name: 'tablet', scheme: 'clear' });
    t.equal((await call('DELETE', `${at}/${mac.id}`)).status, 204);
    t.match(await call('DELETE', `${at}/${mac.id}`), { status: 404, body: { code: 'credential_unknown' } });
    t.equal((await ok('GET', `/subscriptions/${id}`)).credentials.length, 3);
  });

  await t.test('an edited tariff is a new version; a subscription stays until it is moved', async (t) => {
    const edited = await ok('PATCH', `/services/${basic.id}`, { bandwidth_down: 30 });
    t.match(edited, { version: 2, bandwidth_down: 30, bandwidth_up: 5.125, monthly_fee: '29.99' });
    t.equal(edited.fup_rules.length, 2);
    t.match(await ok('GET', `/subscriptions/${id}`), { tariff: { version: 1, bandwidth_down: 20 } });
    t.match(await ok('POST', `/subscriptions/${id}/move`, { service_id: basic.id }), { tariff: { version: 2 } });
    t.match(await ok('PATCH', `/services/${basic.id}`, { name: 'Basic 30' }), { version: 2, name: 'Basic 30' });
    await ok('PATCH', `/services/${basic.id}`, { status: 'inactive' });
    const other = await call('POST', `/customers/${customer.id}/services`, {
      service_id: basic.id,
      user_name: 'n',
      password: 'x',
    });
    t.match(other, { status: 409, body: { code: 'service_inactive' } });
    await ok('PATCH', `/services/${basic.id}`, { status: 'active' });
  });

  await t.test('status changes follow the table; the end is the end', async (t) => {
    t.match(await ok('PATCH', `/subscriptions/${id}`, { status: 'paused' }), { status: 'paused' });
    t.match(await call('PATCH', `/subscriptions/${id}`, { status: 'pending' }), {
      status: 409,
      body: { code: 'status_refused' },
    });
    t.match(await ok('POST', `/subscriptions/${id}/terminate`, { reason: 'moved' }), {
      status: 'terminated',
      termination_reason: 'moved',
      addresses: [],
    });
    t.match(await call('POST', `/subscriptions/${id}/suspend`, { reason: 'admin' }), {
      status: 409,
      body: { code: 'subscription_terminated' },
    });
    t.equal(
      (
        await call('POST', `/customers/${customer.id}/services`, {
          service_id: basic.id,
          user_name: 'rahima.b',
          password: 'x',
        })
      ).status,
      201,
      'the user name is free again',
    );
    t.match((await ok('PATCH', `/customers/${customer.id}`, { status: 'blocked' })).status, 'blocked');
  });

  await t.test('a NAS keeps its secrets to itself, through a rotation and a new address', async (t) => {
    const made = await ok('POST', '/nas', { name: 'core', address: '192.0.2.1', secret: 's1', vendor: 'mikrotik' });
    t.match(made, {
      address: '192.0.2.1/32',
      require_message_authenticator: false,
      message_authenticator: { policy: 'auto', learned: null, learned_at: null },
      has_next_secret: false,
      coa_port: null,
    });
    await ok('PATCH', `/nas/${made.id}`, { next_secret: 's2', address: '2001:DB8:0::/48' });
    const moved = await ok('POST', `/nas/${made.id}/promote-secret`);
    t.match(moved, { address: '2001:db8::/48', has_next_secret: false });
    const { rows } = await api.owner.query('SELECT tenant_id, address::text, secret_cipher FROM nas');
    t.equal(
      api.keyring.decrypt('nas', `${rows[0].tenant_id}:${rows[0].address}`, rows[0].secret_cipher).toString(),
      's2',
    );
    t.match(await call('POST', `/nas/${made.id}/promote-secret`), { status: 409, body: { code: 'no_next_secret' } });
    t.match(await call('POST', '/nas', { name: 'x', address: '10.0.0.1/24', secret: 's' }), { status: 400 });
    t.match(await call('POST', '/nas', { name: 'x', address: '2001:db8::/48', secret: 's' }), {
      status: 409,
      body: { code: 'nas_address_taken' },
    });
    t.match(await call('POST', '/nas', { name: 'x', address: '192.0.2.9', secret: 's', vendor: 'abacus' }), {
      status: 400,
    });
    t.equal((await call('DELETE', `/nas/${made.id}`)).status, 204);
    t.equal((await call('GET', `/nas/${made.id}`)).status, 404);
  });

  await t.test('a NAS is known by a certificate, in one spelling, within one tenant', async (t) => {
    const body = { name: 'tower', address: '192.0.2.77', secret: 's' };
    const made = await ok('POST', '/nas', { ...body, radsec_identity: 'dns:Tower.Example.net' });
    t.match(made, { radsec_identity: 'dns:tower.example.net', coa_over_radsec: false });
    t.match(await ok('PATCH', `/nas/${made.id}`, { coa_over_radsec: true }), { coa_over_radsec: true });
    for (const wrong of ['tower.example.net', 'dns:*.example.net', 'sha256:12']) {
      t.match(await call('PATCH', `/nas/${made.id}`, { radsec_identity: wrong }), { status: 400 });
    }
    const twin = { ...body, address: '192.0.2.78', radsec_identity: 'dns:tower.example.net' };
    t.match(await call('POST', '/nas', twin), { status: 409, body: { code: 'nas_certificate_taken' } });
    const named = await ok('POST', '/nas', { ...twin, nas_identifier: 'b' });
    const { rows } = await api.owner.query(
      `INSERT INTO tenant (slug, name) VALUES ('certificates', 'Certificates') RETURNING id`,
    );
    await t.rejects(
      api.owner.query(
        `INSERT INTO nas (tenant_id, name, address, nas_identifier, secret_cipher, radsec_identity)
         VALUES ($1, 'x', '192.0.2.79', 'c', '', 'dns:tower.example.net')`,
        [rows[0].id],
      ),
      /nas_radsec_tenant/,
    );
    t.match(await call('PATCH', `/nas/${made.id}`, { radsec_identity: null }), {
      status: 409,
      body: { code: 'nas_without_certificate' },
    });
    t.match(await ok('PATCH', `/nas/${made.id}`, { radsec_identity: null, coa_over_radsec: false }), {
      radsec_identity: null,
    });
    for (const { id } of [made, named]) await call('DELETE', `/nas/${id}`);
    await api.owner.query('DELETE FROM tenant WHERE id = $1', [rows[0].id]);
  });

  await t.test('usage, sessions and enforcement come from the ledger; 503 while it is away', async (t) => {
    const [{ id: live }] = (await ok('GET', '/subscriptions?search=rahima2')).data;
    const bytes = { upBytes: 3, downBytes: 4 };
    api.ledger.usage.set(live, { day: bytes, week: bytes, month: bytes, all: { upBytes: 5, downBytes: 2 ** 40 } });
    const usage = await ok('GET', `/customers/${customer.id}/services/${live}/usage`);
    t.same(usage, {
      today: { up_bytes: 3, down_bytes: 4, total_bytes: 7 },
      this_month: { up_bytes: 3, down_bytes: 4, total_bytes: 7 },
      all_time: { up_bytes: 5, down_bytes: 2 ** 40, total_bytes: 2 ** 40 + 5 },
    });
    t.same(await ok('GET', `/subscriptions/${live}/usage`), usage, 'both paths have one handler');
    t.match(await call('GET', `/services/${live}/usage`), { status: 404, body: { code: 'use_subscription_path' } });
    t.match(await call('PATCH', `/services/${live}/suspend`, {}), {
      status: 404,
      body: { code: 'use_subscription_path' },
    });
    t.same(await ok('GET', `/subscriptions/${live}/enforcement`), { mode: 'enforce', sessions: [] });
    api.ledger.away = true;
    t.match(await call('GET', `/subscriptions/${live}/usage`), { status: 503, body: { code: 'ledger_unavailable' } });
    t.match(await call('GET', '/sessions'), { status: 503 });
    api.ledger.away = false;
    t.match(await ok('GET', '/sessions'), { data: [], pagination: { next_cursor: null } });
  });

  await t.test('the brake and the guard are settled by count, and it is on record', async (t) => {
    const tenantId = Number((await api.owner.query("SELECT id FROM tenant WHERE slug = 'fiber'")).rows[0].id);
    api.brakes.push({
      id: 7,
      tenantId,
      since: new Date(0),
      pending: 60,
      online: 100,
      limit: 50,
      reasons: { 'reject:expired': 60 },
      state: 'held',
    });
    t.match(await ok('GET', '/enforcement/brake'), { data: [{ id: 7, count: 60, reasons: { 'reject:expired': 60 } }] });
    t.match(await call('POST', '/enforcement/brake/7/confirm', { count: 59 }), {
      status: 409,
      body: { code: 'brake_count_differs' },
    });
    t.same(await ok('POST', '/enforcement/brake/7/confirm', { count: 60 }), { released: 60 });
    t.match(await call('POST', '/enforcement/brake/7/cancel'), { status: 404, body: { code: 'brake_unknown' } });
    api.held.set(tenantId, 99);
    t.match(await ok('GET', '/aaa/feed-guard'), { data: [{ kind: 'removals', all_tenants: false, count: 99 }] });
    t.match(await call('POST', '/aaa/feed-guard/confirm', { count: 1 }), { status: 409 });
    t.same(await ok('POST', '/aaa/feed-guard/confirm', { count: 99 }), { confirmed: 99 });
    const { rows } = await api.owner.query("SELECT action FROM audit_log WHERE action ~ 'brake|guard' ORDER BY id");
    t.same(
      rows.map(({ action }) => action),
      [
        'enforcement.confirm_brake',
        'enforcement.confirm_brake',
        'enforcement.cancel_brake',
        'feed_guard.confirm',
        'feed_guard.confirm',
      ],
    );
  });
});

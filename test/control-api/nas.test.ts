// Access servers in the API: what they must prove, the rotation of their secrets, and sources that are none yet.
import t from 'tap';
import type { NasUse } from '#ops/stores/nas-edge.ts';
import { apiForTest, type Body, makeTenant, makeUser } from './api.ts';

t.test('access servers', async (t) => {
  const api = await apiForTest(t);
  await makeTenant(api, 'fiber');
  await makeUser(api, 'root@example.com', 'super_admin', null);
  const call = await api.signIn('admin@fiber.example', 'fiber');
  const ok = async (method: string, url: string, body?: unknown): Promise<Body> => {
    const reply = await call(method, url, body);
    if (reply.status >= 300) throw new Error(`${method} ${url}: ${reply.status} ${JSON.stringify(reply.body)}`);
    return reply.body;
  };
  const secretsOf = async (id: number) => {
    const { rows } = await api.owner.query(
      'SELECT tenant_id, address::text, secret_cipher, next_secret_cipher FROM nas WHERE id = $1',
      [id],
    );
    const [{ tenant_id, address, secret_cipher, next_secret_cipher }] = rows;
    const clear = (cipher: Buffer | null) =>
      cipher && api.keyring.decrypt('nas', `${tenant_id}:${address}`, cipher).toString();
    return [clear(secret_cipher), clear(next_secret_cipher)];
  };
  const use = (nasId: number, current: number, next: number): NasUse => ({
    nasId,
    heardAtMs: 2000,
    sinceMs: 1000,
    current,
    next,
    proven: 0,
    unproven: 0,
  });

  await t.test('what it must prove is a policy, or learned; the old flag says the same', async (t) => {
    const made = await ok('POST', '/nas', { name: 'auto', address: '192.0.2.1', secret: 's' });
    const unlearned = { policy: 'auto', learned: null, learned_at: null };
    t.match(made, {
      message_authenticator: unlearned,
      limit_proxy_state: unlearned,
      require_message_authenticator: false,
      reply_message_authenticator: true,
    });
    const atMs = Date.parse(made.learn_since) + 1000;
    api.edge.learned.set(made.id, {
      nasId: made.id,
      messageAuthenticator: { value: 'yes', atMs },
      limitProxyState: { value: 'no', atMs: atMs - 2000 },
    });
    const learned = { policy: 'auto', learned: 'yes', learned_at: new Date(atMs).toISOString() };
    t.match(await ok('GET', `/nas/${made.id}`), { message_authenticator: learned, limit_proxy_state: unlearned });
    t.match((await ok('GET', '/nas')).data, [{ message_authenticator: learned }]);
    api.ledger.away = true;
    t.match(await ok('GET', `/nas/${made.id}`), { message_authenticator: { policy: 'auto', learned: 'unknown' } });
    api.ledger.away = false;
    const anew = await ok('POST', `/nas/${made.id}/relearn`);
    t.ok(anew.learn_since > made.learn_since);
    for (const [body, policy] of [
      [{ message_authenticator: 'yes' }, 'yes'],
      [{ require_message_authenticator: false }, 'no'],
      [{ require_message_authenticator: true }, 'yes'],
      [{ message_authenticator: 'no', require_message_authenticator: false }, 'no'],
      [{ message_authenticator: 'auto' }, 'auto'],
    ] as const) {
      const changed = await ok('PATCH', `/nas/${made.id}`, body);
      t.equal(changed.message_authenticator.policy, policy, JSON.stringify(body));
      t.equal(changed.require_message_authenticator, policy === 'yes');
    }
    t.equal(
      (await call('PATCH', `/nas/${made.id}`, { message_authenticator: 'yes', require_message_authenticator: false }))
        .status,
      400,
    );
    t.equal((await call('PATCH', `/nas/${made.id}`, { message_authenticator: 'maybe' })).status, 400);
    t.match(await ok('PATCH', `/nas/${made.id}`, { limit_proxy_state: 'no', reply_message_authenticator: false }), {
      limit_proxy_state: { policy: 'no' },
      reply_message_authenticator: false,
    });
    const stored = async () =>
      (await api.owner.query('SELECT require_message_authenticator AS flag, message_authenticator AS policy FROM nas'))
        .rows;
    t.strictSame(await stored(), [{ flag: false, policy: 'auto' }]);
    for (const flag of [true, false]) {
      await api.owner.query('UPDATE nas SET require_message_authenticator = $1', [flag]);
      t.strictSame(await stored(), [{ flag, policy: flag ? 'yes' : 'no' }], 'who sets the flag alone sets the policy');
    }
    await ok('DELETE', `/nas/${made.id}`);
  });

  await t.test('a rotation is begun, watched, finished when the requests allow it, or given up', async (t) => {
    const { id } = await ok('POST', '/nas', { name: 'core', address: '192.0.2.2', secret: 'old' });
    t.match(await ok('GET', `/nas/${id}/rotation`), { rotating: false, may_finish: false });
    const begun = await call('POST', `/nas/${id}/rotation`);
    t.equal(begun.status, 201);
    t.match(begun.body.secret, /^[A-Za-z0-9_-]{32}$/);
    t.strictSame(await secretsOf(id), ['old', begun.body.secret]);
    t.match(await call('POST', `/nas/${id}/rotation`), { status: 409, body: { code: 'rotation_running' } });
    t.match(await ok('GET', `/nas/${id}`), { has_next_secret: true });

    t.match(await call('POST', `/nas/${id}/rotation/finish`), { status: 409, body: { code: 'rotation_unproven' } });
    api.edge.uses.set(id, use(id, 3, 9));
    t.match(await ok('GET', `/nas/${id}/rotation`), {
      rotating: true,
      current: { requests: 3 },
      next: { requests: 9 },
      may_finish: false,
    });
    t.match(await call('POST', `/nas/${id}/rotation/finish`), { status: 409 }, 'some requests still use the old one');
    t.match(await call('DELETE', `/nas/${id}/rotation`), { status: 409, body: { code: 'rotation_unproven' } });
    api.ledger.away = true;
    t.match(await call('POST', `/nas/${id}/rotation/finish`), { status: 409 }, 'nor while nobody knows');
    t.match(await ok('GET', `/nas/${id}/rotation`), { current: { requests: null }, may_finish: false });
    api.ledger.away = false;
    api.edge.uses.set(id, use(id, 0, 9));
    t.match(await ok('GET', `/nas/${id}/rotation`), { may_finish: true });
    t.match(await ok('POST', `/nas/${id}/rotation/finish`), { has_next_secret: false, rotation_started_at: null });
    t.strictSame(await secretsOf(id), [begun.body.secret, null]);

    api.edge.uses.delete(id);
    const own = await ok('POST', `/nas/${id}/rotation`, { secret: 'chosen' });
    t.equal(own.secret, 'chosen');
    t.match(await ok('DELETE', `/nas/${id}/rotation`), { has_next_secret: false }, 'nobody used it');
    t.strictSame(await secretsOf(id), [begun.body.secret, null]);
    t.match(await call('DELETE', `/nas/${id}/rotation`), { status: 409, body: { code: 'no_next_secret' } });
    await ok('POST', `/nas/${id}/rotation`, { secret: 'again' });
    t.match(await ok('POST', `/nas/${id}/rotation/finish`, { force: true }), { has_next_secret: false });
    await ok('PATCH', `/nas/${id}`, { next_secret: 'by patch' });
    t.match(await ok('GET', `/nas/${id}/rotation`), { rotating: true, started_at: /^\d{4}-/ });
    await ok('PATCH', `/nas/${id}`, { next_secret: null });
    t.match(await ok('GET', `/nas/${id}/rotation`), { rotating: false, started_at: null });
    const { rows } = await api.owner.query("SELECT action, detail::text FROM audit_log WHERE entity = 'nas'");
    t.ok(rows.some(({ action }) => action === 'nas.start_rotation'));
    for (const { detail } of rows) t.notMatch(detail, /chosen|again|by patch/, 'no secret is in the audit');
    await ok('DELETE', `/nas/${id}`);
  });

  await t.test('many are rotated at once: previewed, confirmed by their count, secrets shown once', async (t) => {
    const ids: number[] = [];
    for (let i = 1; i <= 3; i++) {
      ids.push(
        (await ok('POST', '/nas', { name: `n${i}`, address: `192.0.2.1${i}`, secret: 's', vendor: 'mikrotik' })).id,
      );
    }
    await ok('POST', `/nas/${ids[2]}/rotation`);
    const preview = await ok('POST', '/nas/rotations/preview', { vendor: 'mikrotik' });
    t.match(preview, { count: 2, data: [{ id: ids[0] }, { id: ids[1] }], rotating: [ids[2]] });
    t.match(await call('POST', '/nas/rotations', { vendor: 'mikrotik', count: 3 }), {
      status: 409,
      body: { code: 'rotation_count_changed' },
    });
    t.equal((await call('POST', '/nas/rotations', { count: 2 })).status, 400);
    t.equal((await call('POST', '/nas/rotations', { all: true, vendor: 'mikrotik', count: 2 })).status, 400);
    t.match(await call('POST', '/nas/rotations/preview', { ids: [999_999] }), { status: 404 });
    const { data } = await ok('POST', '/nas/rotations', { vendor: 'mikrotik', count: 2 });
    t.equal(new Set(data.map(({ secret }: Body) => secret)).size, 2);
    for (const { id, secret } of data) t.strictSame(await secretsOf(id), ['s', secret]);
    t.match(await ok('POST', '/nas/rotations/preview', { all: true }), { count: 0, rotating: ids });
    const { rows } = await api.owner.query("SELECT detail FROM audit_log WHERE action = 'nas.start_rotations'");
    t.strictSame(rows, [{ detail: { rotated: ids.slice(0, 2) } }]);
  });

  await t.test('a source that is no NAS is listed for super admins, and becomes one', async (t) => {
    const counts = { packets: 9, overcount: 0, lastSeenAtMs: 5000 };
    api.unknown.data.push({ address: '198.51.100.7', network: '198.51.100.0/24', identifier: 'tower', ...counts });
    api.unknown.networks.push({ network: '198.51.100.0/24', ...counts });
    t.equal((await call('GET', '/nas/unknown')).status, 403, 'not for one tenant alone');
    const platform = await api.signIn('root@example.com');
    const listed = await platform('GET', '/nas/unknown');
    t.match(listed, {
      status: 200,
      body: {
        data: [
          { address: '198.51.100.7', nas_identifier: 'tower', packets: 9, last_seen_at: new Date(5000).toISOString() },
        ],
        networks: [{ network: '198.51.100.0/24' }],
      },
    });
    const inTenant = { 'x-tenant': 'fiber' };
    const add = (address: string) =>
      platform('POST', '/nas/unknown/add', { address, secret: 's', vendor: 'mikrotik' }, inTenant);
    t.match(await add('198.51.100.8'), { status: 404, body: { code: 'unknown_client_not_listed' } });
    t.match(await add('198.51.100.7'), {
      status: 201,
      body: { address: '198.51.100.7/32', name: '198.51.100.7', message_authenticator: { policy: 'auto' } },
    });
    t.match(await add('198.51.100.7'), { status: 409, body: { code: 'nas_address_taken' } });
  });
});

t.test('no tenant takes over the access servers of another one by an address in or around theirs', async (t) => {
  const api = await apiForTest(t);
  await makeTenant(api, 'east');
  await makeTenant(api, 'west');
  const east = await api.signIn('admin@east.example', 'east');
  const west = await api.signIn('admin@west.example', 'west');
  const nas = (address: string, nas_identifier: string | null = null) => ({
    ...{ name: `${address} ${nas_identifier}`, address, secret: 's' },
    ...(nas_identifier === null ? {} : { nas_identifier }),
  });
  t.match(await east('POST', '/nas', nas('10.2.0.0/16')), { status: 201 });
  const foreign = { status: 409, body: { code: 'nas_address_foreign' } };
  for (const address of ['10.2.0.1', '10.2.128.0/17', '10.2.0.0/16', '10.0.0.0/8', '0.0.0.0/0']) {
    t.match(await west('POST', '/nas', nas(address)), foreign, address);
  }
  t.match(await east('POST', '/nas', nas('10.2.0.1')), { status: 201 }, 'its own may lie in each other');
  const beside = await west('POST', '/nas', nas('10.3.0.0/16'));
  t.match(beside, { status: 201 });
  t.match(await west('PATCH', `/nas/${beside.body.id}`, { address: '10.2.9.0/24' }), foreign);
  t.match(await west('PATCH', `/nas/${beside.body.id}`, { name: 'renamed' }), { status: 200 });

  t.match(await east('POST', '/nas', nas('10.9.0.1', 'a')), { status: 201 });
  t.match(await west('POST', '/nas', nas('10.9.0.1', 'b')), { status: 201 }, 'told apart by NAS-Identifier');
  t.match(await west('POST', '/nas', nas('10.9.0.1')), foreign, 'whatever says another name would be its own');
});

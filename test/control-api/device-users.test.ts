// Device users in the API: passwords are made or given and never come back, rights and places change, tenants are apart.
import t from 'tap';
import { verifyPassword } from '#control-api/auth/password.ts';
import { apiForTest, type Body, makeTenant } from './api.ts';

t.test('staff who log in to network devices', async (t) => {
  const api = await apiForTest(t);
  const tenantId = await makeTenant(api, 'fiber');
  const call = await api.signIn('admin@fiber.example', 'fiber');
  const ok = async (method: string, url: string, body?: unknown): Promise<Body> => {
    const reply = await call(method, url, body);
    if (reply.status >= 300) throw new Error(`${method} ${url}: ${reply.status} ${JSON.stringify(reply.body)}`);
    return reply.body;
  };
  const stored = async (id: number): Promise<{ scheme: string; value: string }> => {
    const { rows } = await api.owner.query('SELECT * FROM device_user WHERE id = $1', [id]);
    const { user_name, password_scheme: scheme, password_cipher } = rows[0];
    const place = `${tenantId}::device:${user_name}`;
    return { scheme, value: api.keyring.decrypt('credential', place, password_cipher).toString() };
  };

  await t.test('a password is made, shown once, and kept as a hash', async (t) => {
    const made = await ok('POST', '/device-users', { user_name: 'anna', access: 'full', note: 'core team' });
    t.match(made, {
      ...{ user_name: 'anna', access: 'full', enabled: true, valid_until: null, nas_ids: null, note: 'core team' },
      ...{ serves: ['pap'], password: /^[\w-]{20}$/ },
    });
    const { scheme, value } = await stored(made.id);
    t.equal(scheme, 'argon2');
    t.ok(await verifyPassword(made.password, value));
    const shown = await ok('GET', `/device-users/${made.id}`);
    t.notOk('password' in shown);
    t.notMatch(JSON.stringify([shown, await ok('GET', '/device-users')]), new RegExp(made.password));
    const { rows } = await api.owner.query(`SELECT detail::text FROM audit_log WHERE entity = 'device_user'`);
    t.notMatch(JSON.stringify(rows), new RegExp(made.password));

    const again = await ok('POST', `/device-users/${made.id}/password`);
    t.match(again, { password: /^[\w-]{20}$/ });
    t.not(again.password, made.password);
    t.ok(await verifyPassword(again.password, (await stored(made.id)).value));
    t.match(await call('POST', '/device-users', { user_name: 'anna', access: 'read' }), {
      status: 409,
      body: { code: 'device_user_name_taken' },
    });
  });

  await t.test('a password for CHAP is kept encrypted, one of another system as it is', async (t) => {
    const clear = await ok('POST', '/device-users', {
      ...{ user_name: 'winbox', access: 'write', password: 'a given password', store: 'clear' },
    });
    t.match(clear, { password: null, serves: ['pap', 'chap', 'mschap'] });
    t.strictSame(await stored(clear.id), { scheme: 'clear', value: 'a given password' });
    const password = { scheme: 'nt', value: '44ebba8d5312b8d611474411f56989ae' };
    const moved = await ok('POST', `/device-users/${clear.id}/password`, { password });
    t.match(moved, { password: null, serves: ['pap', 'mschap'] });
    t.strictSame(await stored(clear.id), { scheme: 'nt', value: password.value });
    for (const wrong of [
      { password: 'short' },
      { password: { scheme: 'nt', value: 'xyz' } },
      { password, store: 'clear' },
      { store: 'plain' },
    ]) {
      const reply = await call('POST', `/device-users/${clear.id}/password`, wrong);
      t.equal(reply.status, 400, JSON.stringify(wrong));
    }
  });

  await t.test(
    'rights, places and an end change; a removed access server leaves no place, not every place',
    async (t) => {
      const nas = await ok('POST', '/nas', { name: 'tower', address: '192.0.2.1', secret: 's' });
      const made = await ok('POST', '/device-users', { user_name: 'bert', access: 'read', nas_ids: [nas.id] });
      t.strictSame(made.nas_ids, [nas.id]);
      const until = '2030-01-01T00:00:00.000Z';
      t.match(await ok('PATCH', `/device-users/${made.id}`, { access: 'write', enabled: false, valid_until: until }), {
        ...{ access: 'write', enabled: false, valid_until: until, nas_ids: [nas.id] },
      });
      t.match((await ok('GET', '/device-users?enabled=false')).data, [{ user_name: 'bert' }]);
      t.match((await ok('GET', '/device-users?search=ert')).data, [{ user_name: 'bert' }]);
      await ok('DELETE', `/nas/${nas.id}`);
      t.strictSame((await ok('GET', `/device-users/${made.id}`)).nas_ids, []);
      t.equal((await ok('PATCH', `/device-users/${made.id}`, { nas_ids: null })).nas_ids, null);
      t.equal((await call('PATCH', `/device-users/${made.id}`, {})).status, 400);
      t.equal((await call('DELETE', `/device-users/${made.id}`)).status, 204);
      t.equal((await call('GET', `/device-users/${made.id}`)).status, 404);
    },
  );

  await t.test('another tenant’s access servers are no places, and its names are free', async (t) => {
    await makeTenant(api, 'other');
    const other = await api.signIn('admin@other.example', 'other');
    const theirs = await other('POST', '/nas', { name: 'theirs', address: '192.0.2.9', secret: 's' });
    t.match(await call('POST', '/device-users', { user_name: 'carl', access: 'read', nas_ids: [theirs.body.id] }), {
      status: 400,
      body: { code: 'reference_unknown' },
    });
    t.equal((await other('POST', '/device-users', { user_name: 'anna', access: 'read' })).status, 201);
    t.equal((await other('GET', '/device-users')).body.data.length, 1);
  });

  await t.test('only administrators see or change them', async (t) => {
    const operator = await api.signIn('operator@fiber.example', 'fiber');
    t.equal((await operator('GET', '/device-users')).status, 403);
    t.equal((await operator('POST', '/device-users', { user_name: 'x', access: 'full' })).status, 403);
  });

  await t.test('an access server says whether staff log in there', async (t) => {
    const nas = await ok('POST', '/nas', { name: 'old hotspot', address: '192.0.2.2', secret: 's' });
    t.equal(nas.device_logins, 'auto');
    t.equal((await ok('PATCH', `/nas/${nas.id}`, { device_logins: 'never' })).device_logins, 'never');
    t.equal((await call('PATCH', `/nas/${nas.id}`, { device_logins: 'sometimes' })).status, 400);
  });
});

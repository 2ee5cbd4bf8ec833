// Signing in: who gets in, how tokens are renewed and stolen ones noticed, what roles may do, how super admins choose a tenant.
import t from 'tap';
import { createFirstAdmin } from '#control-api/auth/first-admin.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { apiForTest, makeTenant, makeUser, password } from './api.ts';

t.test('signing in', async (t) => {
  const api = await apiForTest(t);

  await t.test('the first start makes one super admin, also when two processes start together', async (t) => {
    const told: string[] = [];
    const starting = ['', 'chosen'].map((given) =>
      createFirstAdmin({
        db: api.db,
        email: 'First@example.com',
        password: given,
        log: createLogger('test', 'silent'),
        announce: (email, generated) => told.push(`${email} ${generated}`),
      }),
    );
    t.match(starting[0]!.ready(), /not made yet/);
    await Promise.all(starting.map((part) => part.start()));
    t.same(
      starting.map((part) => part.ready()),
      [null, null],
    );
    await Promise.all(starting.map((part) => part.stop()));
    const { rows } = await api.owner.query("SELECT email FROM app_user WHERE role = 'super_admin'");
    t.same(rows, [{ email: 'first@example.com' }]);
    const secret = told[0]?.split(' ')[1] ?? 'chosen';
    t.match(await api.call('POST', '/auth/login', { identifier: 'first@example.com', password: secret }), {
      status: 200,
    });
  });

  await makeUser(api, 'root@example.com', 'super_admin', null);
  const root = await api.signIn('root@example.com');
  const login = (body: unknown, from = '10.0.0.1') =>
    api.call('POST', '/auth/login', body, { 'x-forwarded-for': from });

  await t.test('without any tenant a super admin is asked for one; the only one is taken unsaid', async (t) => {
    t.match(await root('GET', '/customers'), { status: 400, body: { code: 'tenant_required' } });
    const made = await root('POST', '/tenants', {
      slug: 'one',
      name: 'One',
      time_zone: 'Asia/Dhaka',
      admin: { email: 'Boss@one.example', password: 'a long enough password' },
    });
    t.match(made, { status: 201, body: { slug: 'one', time_zone: 'Asia/Dhaka', currency: 'USD' } });
    t.equal((await root('GET', '/customers')).status, 200);
    t.match(await login({ tenant: 'one', identifier: 'boss@one.example', password: 'a long enough password' }), {
      status: 200,
    });
    t.match(await root('POST', '/tenants', { slug: 'one', name: 'x' }), {
      status: 409,
      body: { code: 'tenant_slug_taken' },
    });
    t.match(await root('POST', '/tenants', { slug: 'two', name: 'x', time_zone: '+06:00' }), { status: 400 });
    await makeTenant(api, 'two');
    t.match(await root('GET', '/customers'), { status: 400, body: { code: 'tenant_required' } });
    await makeTenant(api, 'demo');
    t.equal((await root('GET', '/customers')).status, 200, 'else demo');
    t.match(await root('GET', '/customers', undefined, { 'x-tenant': 'none' }), {
      status: 404,
      body: { code: 'tenant_unknown' },
    });
    const { id } = made.body;
    t.match(await root('PATCH', `/tenants/${id}`, { enforcement_mode: 'observe' }), {
      body: { enforcement_mode: 'observe' },
    });
    t.equal((await root('GET', '/tenants')).body.pagination.total, 3);
  });

  await t.test('each access of a super admin inside a tenant is on record', async (t) => {
    await root('GET', '/nas', undefined, { 'x-tenant': 'two' });
    const { rows } = await api.owner.query(
      `SELECT detail FROM audit_log WHERE action = 'platform.access' AND tenant_id = (SELECT id FROM tenant WHERE slug = 'two')`,
    );
    t.match(rows, [{ detail: { method: 'GET', path: '/api/v1/nas' } }]);
  });

  await t.test(
    'wrong password, unknown user, wrong tenant and a disabled user get one and the same answer',
    async (t) => {
      await makeUser(
        api,
        'gone@two.example',
        'viewer',
        Number((await api.owner.query("SELECT id FROM tenant WHERE slug = 'two'")).rows[0].id),
      );
      await api.owner.query("UPDATE app_user SET status = 'disabled' WHERE email = 'gone@two.example'");
      const tries = [
        { tenant: 'two', identifier: 'admin@two.example', password: 'wrong' },
        { tenant: 'two', identifier: 'nobody@two.example', password },
        { tenant: 'none', identifier: 'admin@two.example', password },
        { identifier: 'admin@two.example', password },
        { tenant: 'two', email: 'gone@two.example', password },
        { tenant: 'two', identifier: 'root@example.com', password },
      ];
      const answers = [];
      for (const body of tries) {
        const { status, body: problem } = await login(body);
        answers.push({ status, ...problem, request_id: '' });
      }
      t.equal(new Set(answers.map((answer) => JSON.stringify(answer))).size, 1);
      t.match(answers[0], { status: 401, code: 'login_failed' });
      t.match(await login({ identifier: 'a', email: 'b', password }), { status: 400 });
    },
  );

  await t.test('guessing is slowed down per address and identifier', async (t) => {
    const body = { identifier: 'root@example.com', password: 'wrong' };
    const statuses = [];
    for (let attempt = 0; attempt < 12; attempt++) statuses.push((await login(body, '10.0.0.2')).status);
    t.same([statuses[9], statuses[10], statuses[11]], [401, 429, 429]);
    const other = await login({ ...body, identifier: 'else@example.com' }, '10.0.0.2');
    t.equal(other.status, 401, 'another identifier from there may still try');
    t.equal((await login({ identifier: 'root@example.com', password }, '10.0.0.3')).status, 200);
  });

  await t.test(
    'a refresh gives new tokens and ends the old ones; a refresh token that comes twice ends the sign-in',
    async (t) => {
      const first = (await login({ tenant: 'two', identifier: 'admin@two.example', password }, '10.0.0.4')).body;
      const as = (token: string) => api.call('GET', '/auth/me', undefined, { authorization: `Bearer ${token}` });
      t.match(await as(first.access_token), { status: 200, body: { email: 'admin@two.example', role: 'admin' } });
      const refresh = (token: string) => api.call('POST', '/auth/refresh', { refresh_token: token });
      const second = (await refresh(first.refresh_token)).body;
      t.equal((await as(first.access_token)).status, 401);
      t.equal((await as(second.access_token)).status, 200);
      t.match(await refresh(first.refresh_token), { status: 401, body: { code: 'refresh_failed' } });
      t.equal((await as(second.access_token)).status, 401, 'the thief and the robbed both sign in again');
      t.equal((await refresh(second.refresh_token)).status, 401);
      const { rows } = await api.owner.query(
        "SELECT detail FROM audit_log WHERE action = 'auth.refresh' AND detail ? 'ended'",
      );
      t.same(rows, [{ detail: { ended: 'refresh token came twice' } }]);
    },
  );

  await t.test('an access token ends after its hour and at logout', async (t) => {
    const { access_token: token, expires_in } = (
      await login({ tenant: 'two', identifier: 'viewer@two.example', password }, '10.0.0.5')
    ).body;
    const headers = { authorization: `Bearer ${token}` };
    api.clock.nowMs += (expires_in - 1) * 1000;
    t.equal((await api.call('GET', '/customers', undefined, headers)).status, 200);
    api.clock.nowMs += 2000;
    t.match(await api.call('GET', '/customers', undefined, headers), {
      status: 401,
      body: { code: 'unauthenticated' },
      headers: { 'www-authenticate': 'Bearer' },
    });
    const call = await api.signIn('viewer@two.example', 'two');
    t.equal((await call('POST', '/auth/logout')).status, 204);
    t.equal((await call('GET', '/customers')).status, 401);
    t.equal((await api.call('GET', '/customers')).status, 401);
  });

  await t.test('roles may do what they are for', async (t) => {
    const viewer = await api.signIn('viewer@two.example', 'two');
    const operator = await api.signIn('operator@two.example', 'two');
    const admin = await api.signIn('admin@two.example', 'two');
    t.match(await viewer('POST', '/customers', { name: 'x' }), { status: 403, body: { code: 'forbidden' } });
    t.equal((await operator('POST', '/customers', { name: 'x' })).status, 201);
    t.equal((await operator('POST', '/nas', { name: 'x', address: '192.0.2.1', secret: 's' })).status, 403);
    t.equal((await admin('POST', '/nas', { name: 'x', address: '192.0.2.1', secret: 's' })).status, 201);
    t.equal((await admin('GET', '/tenants')).status, 403);
  });

  await t.test('nothing of a password or token is stored in clear', async (t) => {
    const { rows } = await api.owner.query('SELECT password_hash FROM app_user');
    t.ok(rows.every(({ password_hash }) => /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/.test(password_hash)));
    const audit = await api.owner.query("SELECT string_agg(detail::text, ' ') AS text FROM audit_log");
    t.notMatch(audit.rows[0].text, /password|pass123|long enough/);
  });
});

// No tenant sees or touches another's data: every operation is tried with the ids of a foreign tenant, and the database itself.
import { Client } from 'pg';
import t from 'tap';
import { roleUrl } from '#ops/stores/urls.ts';
import { testKeyring } from '#test/support/stores.ts';
import { apiForTest, makeTenant, makeUser, type TestApi } from './api.ts';
import { operationsOf, sampleOf } from './sample.ts';

type Ids = Record<
  | ('customer' | 'service' | 'subscription' | 'nas' | 'policy' | 'exporter' | 'address')
  | ('credential' | 'hold' | 'pool' | 'range' | 'homeServer' | 'realm' | 'copy')
  | ('deviceUser' | 'maintenance'),
  number
>;

/** One of everything, made through the API as the tenant's own admin. */
async function furnish(api: TestApi, slug: string, network: string): Promise<Ids> {
  const call = await api.signIn(`admin@${slug}.example`, slug);
  const make = async (url: string, body: unknown) => {
    const reply = await call('POST', url, body);
    if (reply.status >= 300) throw new Error(`${url}: ${JSON.stringify(reply.body)}`);
    return reply.body;
  };
  const service = await make('/services/internet', {
    name: `only ${slug}`,
    bandwidth_down: 10,
    bandwidth_up: 10,
    monthly_fee: '1',
  });
  const customer = await make('/customers', { name: `customer of ${slug}` });
  const nas = await make('/nas', { name: `nas of ${slug}`, address: `${network}.1`, secret: 's' });
  const policy = await make('/speed-policies', {
    vendor: 'cisco',
    bandwidth_down: 10,
    bandwidth_up: 10,
    name: `policy of ${slug}`,
  });
  const exporter = await make('/exporters', { name: `exporter of ${slug}`, address: `${network}.1` });
  const pool = await make('/pools', {
    ...{ name: `pool of ${slug}`, family: 'ipv4', ranges: [{ prefix: `${network}.128/25` }] },
  });
  const homeServer = await make('/home-servers', { name: `home of ${slug}`, address: `${network}.2`, secret: 's' });
  const realm = await make('/realms', { name: `${slug}.example`, home_server_ids: [homeServer.id] });
  const copy = await make('/accounting-copies', { name: `copy of ${slug}`, home_server_id: homeServer.id });
  const until = new Date(Date.now() + 3600_000).toISOString();
  const maintenance = await make(`/nas/${nas.id}/maintenance`, { until, note: `maintenance of ${slug}` });
  await make(`/nas/${nas.id}/drain`, { note: `drain of ${slug}` });
  const deviceUser = await make('/device-users', {
    ...{ user_name: `engineer of ${slug}`, access: 'read', nas_ids: [nas.id] },
  });
  const subscription = await make(`/customers/${customer.id}/services`, {
    service_id: service.id,
    user_name: `subscriber of ${slug}`,
    password: 'x',
    addresses: [{ kind: 'ipv4', prefix: `${network}.7` }],
  });
  const credentials = 'SELECT id FROM credential WHERE subscription_id = $1';
  const credential = Number((await api.owner.query(credentials, [subscription.id])).rows[0].id);
  await make(`/subscriptions/${subscription.id}/suspend`, { reason: 'admin' });
  return {
    customer: customer.id,
    service: service.id,
    nas: nas.id,
    policy: policy.id,
    exporter: exporter.id,
    subscription: subscription.id,
    address: subscription.addresses[0].id,
    credential,
    hold: 1,
    pool: pool.id,
    range: pool.ranges[0].id,
    homeServer: homeServer.id,
    realm: realm.id,
    copy: copy.id,
    deviceUser: deviceUser.id,
    maintenance: maintenance.id,
  };
}

function fillPath(path: string, ids: Ids, tenantId: number): string {
  const [, , , collection = ''] = path.split('/');
  const own: Record<string, number> = {
    customers: ids.customer,
    services: ids.service,
    subscriptions: ids.subscription,
    nas: ids.nas,
    'speed-policies': ids.policy,
    exporters: ids.exporter,
    pools: ids.pool,
    'home-servers': ids.homeServer,
    realms: ids.realm,
    'accounting-copies': ids.copy,
    'device-users': ids.deviceUser,
    tenants: tenantId,
    enforcement: 7,
  };
  return path
    .replace('{subscription_id}', String(ids.subscription))
    .replace('{address_id}', String(ids.address))
    .replace('{maintenance_id}', String(ids.maintenance))
    .replace('{range_id}', String(ids.range))
    .replace('{mac}', '001122334455')
    .replace('{credential_id}', String(ids.credential))
    .replace('{id}', String(own[collection]));
}

/** Every row of a tenant in every table, as one text. */
async function everythingOf(owner: Client, tenantId: number): Promise<Record<string, string>> {
  const { rows: tables } = await owner.query(
    `SELECT table_name AS name FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
     WHERE table_schema = 'public' AND column_name = 'tenant_id' AND table_type = 'BASE TABLE'
       AND table_name NOT IN ('feed_change', 'audit_log')`,
  );
  const found: Record<string, string> = {};
  for (const { name } of tables) {
    const { rows } = await owner.query(
      `SELECT coalesce(string_agg(row::text, ';' ORDER BY row::text), '') AS text FROM ${name} AS row WHERE tenant_id = $1`,
      [tenantId],
    );
    found[name] = rows[0].text;
  }
  return found;
}

t.test('isolation of tenants', async (t) => {
  const api = await apiForTest(t);
  const ours = await makeTenant(api, 'ours');
  const theirs = await makeTenant(api, 'theirs');
  await makeUser(api, 'root@example.com', 'super_admin', null);
  const own = await furnish(api, 'ours', '10.1.0');
  const foreign = await furnish(api, 'theirs', '10.2.0');
  api.brakes.push({
    id: 7,
    tenantId: theirs,
    since: new Date(0),
    pending: 1,
    online: 100,
    limit: 50,
    reasons: {},
    state: 'held',
  });
  api.held.set(theirs, 1);
  const operations = operationsOf(api.app.swagger());
  const before = await everythingOf(api.owner, theirs);
  const idOf = (name: string) =>
    ({ service_id: foreign.service, customer_id: foreign.customer, subscription_id: foreign.subscription })[name] ??
    foreign.customer;

  await t.test('every operation with a foreign id answers as if there were nothing', async (t) => {
    const call = await api.signIn('admin@ours.example', 'ours');
    const root = await api.signIn('root@example.com');
    for (const { method, path, body } of operations) {
      if (path.endsWith('/auth/logout')) continue;
      const url = fillPath(path, foreign, theirs);
      const input = body && sampleOf(body, '', idOf);
      const reply = await call(method, url, input);
      const text = JSON.stringify(reply.body);
      if (path.includes('{')) t.ok([403, 404].includes(reply.status), `${method} ${path}: ${reply.status} ${text}`);
      t.notMatch(text, /theirs/, `${method} ${path} tells nothing of the other tenant`);
      if (path.includes('{') && !path.includes('/tenants/')) {
        const asRoot = await root(method, url, input, { 'x-tenant': 'ours' });
        t.equal(asRoot.status, 404, `${method} ${path} by a super admin in our tenant: ${JSON.stringify(asRoot.body)}`);
      }
    }
  });

  await t.test('foreign ids inside a body or beside an own id name nothing', async (t) => {
    const call = await api.signIn('admin@ours.example', 'ours');
    const sold = { service_id: foreign.service, user_name: 'n', password: 'x' };
    t.match(await call('POST', `/customers/${own.customer}/services`, sold), { status: 404 });
    t.match(await call('POST', `/subscriptions/${own.subscription}/move`, { service_id: foreign.service }), {
      status: 404,
    });
    t.match(await call('GET', `/customers/${own.customer}/services/${foreign.subscription}`), { status: 404 });
    t.match(await call('DELETE', `/subscriptions/${own.subscription}/addresses/${foreign.address}`), { status: 404 });
    t.same((await call('GET', `/subscriptions?customer_id=${foreign.customer}`)).body.data, []);
    t.same((await call('GET', '/subscriptions?search=subscriber%20of%20theirs')).body.data, []);
    t.same((await call('GET', '/customers?search=theirs')).body.data, []);
    for (const home_server_ids of [[foreign.homeServer], [own.homeServer, foreign.homeServer]]) {
      t.match(await call('PATCH', `/realms/${own.realm}`, { home_server_ids }), {
        body: { code: 'reference_unknown' },
      });
    }
    t.match(await call('PATCH', `/accounting-copies/${own.copy}`, { home_server_id: foreign.homeServer }), {
      body: { code: 'reference_unknown' },
    });
    t.match(await call('PATCH', `/accounting-copies/${own.copy}`, { nas_id: foreign.nas }), {
      body: { code: 'reference_unknown' },
    });
    await api.owner.query("INSERT INTO area (tenant_id, name) VALUES ($1, 'far')", [theirs]);
    const area = Number((await api.owner.query("SELECT id FROM area WHERE name = 'far'")).rows[0].id);
    t.match(await call('PATCH', `/customers/${own.customer}`, { area_id: area }), {
      status: 400,
      body: { code: 'reference_unknown' },
    });
    await api.owner.query('DELETE FROM area');
    t.match(await call('GET', '/customers', undefined, { 'x-tenant': 'theirs' }), {
      status: 403,
      body: { code: 'tenant_forbidden' },
    });
  });

  await t.test('nothing of the other tenant has changed', async (t) => {
    t.same(await everythingOf(api.owner, theirs), before);
    t.equal(api.brakes.length, 1);
    t.equal(api.held.get(theirs), 1);
  });

  await t.test(
    'the database shows lastmile_app nothing without a tenant, and only the rows of the one it names',
    async (t) => {
      const url = new URL(`postgresql://${api.owner.host}:${api.owner.port}/${api.owner.database}`);
      const app = new Client({ connectionString: roleUrl(url.href, 'lastmile_app', testKeyring) });
      await app.connect();
      t.teardown(() => app.end());
      const { rows: tables } = await api.owner.query(
        `SELECT c.relname AS name, c.relrowsecurity AS secured, has_table_privilege('lastmile_app', c.oid, 'SELECT') AS readable,
         EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id') AS of_tenant
       FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')`,
      );
      for (const { name, secured, readable, of_tenant } of tables) {
        if (!readable) continue;
        t.ok(secured, `${name} is secured row by row`);
        t.equal((await app.query(`SELECT 1 FROM ${name}`)).rowCount, 0, `${name} is empty without a tenant`);
        if (!of_tenant) continue;
        await app.query('BEGIN');
        await app.query("SELECT set_config('lastmile.tenant', $1, true)", [String(ours)]);
        const { rows } = await app.query(`SELECT DISTINCT tenant_id FROM ${name}`);
        t.ok(
          rows.every(({ tenant_id }) => Number(tenant_id) === ours),
          `${name} shows only our rows`,
        );
        await app.query('ROLLBACK');
      }
      const readable = tables.filter((table) => table.readable).map((table) => table.name);
      t.ok(readable.includes('customer') && !readable.some((name: string) => /^feed_|schema_migration/.test(name)));

      await app.query('BEGIN');
      await app.query("SELECT set_config('lastmile.tenant', $1, true)", [String(ours)]);
      t.equal((await app.query("UPDATE customer SET name = 'x' WHERE tenant_id = $1", [theirs])).rowCount, 0);
      t.equal((await app.query('DELETE FROM nas WHERE id = $1', [foreign.nas])).rowCount, 0);
      await t.rejects(
        app.query("INSERT INTO area (tenant_id, name) VALUES ($1, 'ours in theirs')", [theirs]),
        /row-level security/,
      );
      await app.query('ROLLBACK');
      await t.rejects(app.query('DELETE FROM audit_log'), /permission denied/);
    },
  );
});

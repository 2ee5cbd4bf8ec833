// The promises of the API as a whole: its document, its error codes, its answer to bad input, its tables against the database.
import { is } from 'drizzle-orm';
import { getTableConfig, PgTable } from 'drizzle-orm/pg-core';
import fc from 'fast-check';
import fastify from 'fastify';
import t from 'tap';
import * as authSchema from '#control-api/auth/schema.ts';
import * as customersSchema from '#control-api/customers/schema.ts';
import * as databaseSchema from '#control-api/database/schema.ts';
import * as deviceUsersSchema from '#control-api/device-users/schema.ts';
import { codeOfConstraint, errors } from '#control-api/errors.ts';
import * as exportersSchema from '#control-api/exporters/schema.ts';
import * as nasSchema from '#control-api/nas/schema.ts';
import * as nasOperationsSchema from '#control-api/nas-operations/schema.ts';
import { routeRules } from '#control-api/plugins/route-rules.ts';
import * as poolsSchema from '#control-api/pools/schema.ts';
import * as proxySchema from '#control-api/proxy/schema.ts';
import * as servicesSchema from '#control-api/services/schema.ts';
import * as speedPoliciesSchema from '#control-api/speed-policies/schema.ts';
import * as subscriptionsSchema from '#control-api/subscriptions/schema.ts';
import * as tenantsSchema from '#control-api/tenants/schema.ts';
import { apiForTest, makeTenant } from './api.ts';
import { type Json, operationsOf, sampleOf } from './sample.ts';

t.test('the API as a whole', async (t) => {
  const api = await apiForTest(t);
  await makeTenant(api, 'fiber');
  const operations = operationsOf(api.app.swagger());

  await t.test('every operation of the document has a summary, a tag, a name of its own and its errors', async (t) => {
    const reply = await api.call('GET', '/api/v1/openapi.json');
    t.match(reply, { status: 200, body: { openapi: '3.1.0' } });
    t.ok(operations.length > 40);
    t.equal(new Set(operations.map(({ operationId }) => operationId)).size, operations.length);
    for (const { method, path, summary, tags, responses } of operations) {
      t.ok(summary && tags.length > 0, `${method} ${path}`);
      t.ok(Object.keys(responses).some((status) => status.startsWith('2')));
      for (const family of ['4XX', '5XX'])
        t.ok(responses[family]?.content?.['application/problem+json'], `${method} ${path}`);
    }
    t.match(await api.call('GET', '/api/docs/'), { status: 200 });
  });

  await t.test('every constraint that means an error exists', async (t) => {
    const { rows } = await api.owner.query(
      'SELECT conname AS name FROM pg_constraint UNION SELECT relname FROM pg_class UNION SELECT tgname FROM pg_trigger',
    );
    const existing = new Set(rows.map(({ name }) => name));
    for (const entry of Object.values(errors))
      if ('constraint' in entry)
        t.ok(existing.has(entry.constraint) && codeOfConstraint(entry.constraint), entry.constraint);
  });

  await t.test('a route without a permission stops the start', async (t) => {
    const app = fastify();
    routeRules(app);
    app.get('/open', { schema: { hide: true } }, async () => 'hello');
    await t.rejects(async () => app.ready(), /GET \/open does not declare a permission/);
  });

  await t.test('the tables of drizzle are the tables of the database', async (t) => {
    const modules = [
      authSchema,
      customersSchema,
      databaseSchema,
      deviceUsersSchema,
      exportersSchema,
      nasSchema,
      nasOperationsSchema,
      poolsSchema,
      proxySchema,
      servicesSchema,
      speedPoliciesSchema,
      subscriptionsSchema,
      tenantsSchema,
    ];
    const tables = modules.flatMap((module) => Object.values(module).filter((one): one is PgTable => is(one, PgTable)));
    const { rows } = await api.owner.query(
      `SELECT c.relname AS table, a.attname AS column, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS required
       FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
       WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
         AND c.relname NOT IN ('schema_migration', 'feed_change', 'feed_horizon') ORDER BY 1, 2`,
    );
    const spelled: Readonly<Record<string, string>> = { 'char(3)': 'character(3)' };
    const declared = tables
      .map((table) => getTableConfig(table))
      .flatMap(({ name, columns }) =>
        columns.map((column) => ({
          table: name,
          column: column.name,
          type: spelled[column.getSQLType()] ?? column.getSQLType(),
          required: column.notNull,
        })),
      );
    const order = (list: { table: string; column: string }[]) => list.map((row) => JSON.stringify(row)).sort();
    t.same(order(declared), order(rows));
  });

  await t.test('whatever is sent, the answer is never a failure of ours', async (t) => {
    const call = await api.signIn('admin@fiber.example', 'fiber');
    const customer = (await call('POST', '/customers', { name: 'x' })).body.id;
    const segment = fc.oneof(
      fc.constant(String(customer)),
      fc.constantFrom(
        '0',
        '-1',
        '9223372036854775807',
        '9223372036854775808',
        '1e3',
        'x',
        '%00',
        '%F0%9F%98%80',
        '1.5',
        '%',
      ),
      fc.integer().map(String),
    );
    const json = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom(
        '\u0000',
        2 ** 53,
        -1,
        1e300,
        'a\u0000b',
        '2027-02-30T00:00:00Z',
        '9999-12-31T23:59:59Z',
        '0000-01-01T00:00:00Z',
        '\ud800',
        '{}',
        '1'.repeat(5000),
      ),
    );
    for (const { method, path, body } of operations) {
      if (path.includes('/auth/')) continue;
      const sample = body && (sampleOf(body, '', () => customer) as Record<string, Json> | null);
      await fc.assert(
        fc.asyncProperty(segment, segment, json, fc.nat(), fc.boolean(), async (first, second, value, at, whole) => {
          const url = path.replace('{id}', first).replace(/\{\w+\}/, second);
          const keys = Object.keys(body?.properties ?? {});
          const key = keys[at % Math.max(keys.length, 1)];
          const sent = body && (whole || key === undefined ? value : { ...sample, [key]: value });
          const reply = await call(method, url, sent === undefined ? undefined : JSON.stringify(sent));
          if (reply.status >= 500 || (reply.status >= 400 && !(reply.body.code in errors)))
            throw new Error(`${method} ${url} ${JSON.stringify(sent)}: ${reply.status} ${JSON.stringify(reply.body)}`);
        }),
        { numRuns: 12 },
      );
    }
    t.pass();
  });

  await t.test('a query that is wrong is refused, on every list', async (t) => {
    const call = await api.signIn('admin@fiber.example', 'fiber');
    const lists = operations.filter(
      ({ method, path, query }) => method === 'GET' && query.includes('per_page') && !/\{|tenants/.test(path),
    );
    const cursor = (value: Json) => Buffer.from(JSON.stringify(value)).toString('base64url');
    for (const { path } of lists) {
      const own = path.endsWith('/sessions');
      for (const query of [
        'nonsense=1',
        'page=0',
        'per_page=201',
        'page=x',
        'sort=secret_cipher',
        'search=%00',
        'id=9e99',
      ])
        t.equal((await call('GET', `${path}?${query}`)).status, 400, `${path}?${query}`);
      if (own) continue;
      for (const bad of [['-id', 'x'], ['id', 'x'], ['id', '9'.repeat(30)], ['id', null], 'id', ['id', '1', '2'], {}])
        t.equal((await call('GET', `${path}?sort=id&cursor=${cursor(bad as Json)}`)).status, 400, JSON.stringify(bad));
      t.match(await call('GET', `${path}?page=1000000`), { status: 400, body: { code: 'page_too_deep' } });
      t.equal((await call('GET', `${path}?id__in=1,x`)).status, 400);
    }
    t.equal(
      (await call('GET', '/subscriptions?paid_until__lt=2027-01-01T00:00:00Z&paid_until__isnull=false')).status,
      200,
    );
    t.equal((await call('GET', '/customers?name__like=%25_&status__in=new,active&email__isnull=true')).status, 200);
  });

  await t.test('bodies that are no JSON, too large or of another type are refused with a code', async (t) => {
    const call = await api.signIn('admin@fiber.example', 'fiber');
    t.match(await call('POST', '/customers', '{"name":'), { status: 400, body: { code: 'invalid_json' } });
    t.match(await call('POST', '/customers', '{"__proto__":{"x":1},"name":"x"}'), {
      status: 400,
      body: { code: 'invalid_json' },
    });
    t.match(await call('POST', '/customers', `{"name":"${'x'.repeat(300_000)}"}`), {
      status: 413,
      body: { code: 'body_too_large' },
    });
    t.match(await call('POST', '/customers', '<x/>', { 'content-type': 'text/xml' }), {
      status: 415,
      body: { code: 'unsupported_media_type' },
    });
    t.match(await call('POST', '/customers', { name: 'x', nmae: 'y', status: 'dead' }), {
      status: 400,
      body: {
        code: 'validation_failed',
        problems: [
          { in: 'body', path: '/nmae', message: 'is not known here' },
          { in: 'body', path: '/status', message: 'must be one of lead, new, active, blocked, disabled' },
        ],
      },
    });
    t.match(
      await call('POST', '/services/internet', { name: 'x', bandwidth_down: '20', bandwidth_up: 5, monthly_fee: 9.99 }),
      { status: 400 },
    );
    t.match(
      await call('POST', '/services/internet', {
        name: 'x',
        bandwidth_down: 20.0001,
        bandwidth_up: 5,
        monthly_fee: '1',
      }),
      { status: 400 },
    );
    t.match(
      await call('POST', '/services/internet', {
        name: 'x',
        bandwidth_down: 20,
        bandwidth_up: 5,
        monthly_fee: '1.5',
        currency: 'JPY',
      }),
      { status: 400 },
    );
    t.match(await call('GET', '/nothing'), { status: 404, body: { code: 'not_found' } });
    t.match(await call('PUT', '/customers'), { status: 404 });
  });

  await t.test(
    'without PostgreSQL the answer is 503 with its code, and the process still tells that it lives',
    async (t) => {
      const away = await apiForTest(t, { databaseUrl: 'postgresql://lastmile_app@127.0.0.1:1/nowhere' });
      const signedIn = { authorization: 'Bearer anything' };
      t.match(await away.call('GET', '/customers', undefined, signedIn), {
        status: 503,
        body: { code: 'database_unavailable' },
      });
      t.match(await away.call('POST', '/auth/login', { identifier: 'a', password: 'b' }), { status: 503 });
      t.match(await away.call('GET', '/api/v1/openapi.json'), { status: 200 });
      t.match((await away.app.inject('/healthz')).statusCode, 200);
    },
  );
});

// `npm run seed`: what it adds, that it may run again, what it takes away, and where it refuses.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import t from 'tap';
import { refusal } from '#ops/seed/refusal.ts';
import { databaseForTest, testKeyring, testSecretKey } from '#test/support/stores.ts';

const root = path.resolve(import.meta.dirname, '../../..');

t.test('the seed', async (t) => {
  const { ownerUrl } = await databaseForTest(t);
  const dataDir = mkdtempSync(path.join(tmpdir(), 'lastmile-seed-'));
  const owner = new Client({ connectionString: ownerUrl });
  await owner.connect();
  t.teardown(async () => {
    await owner.end();
    rmSync(dataDir, { recursive: true, force: true });
  });
  const seed = (args: string[], environment: Record<string, string> = {}) =>
    new Promise<{ code: number; output: string }>((resolve) => {
      const env = {
        ...process.env,
        LASTMILE_DATA_DIR: dataDir,
        DATABASE_URL: ownerUrl,
        REDIS_URL: 'redis://127.0.0.1:1',
        LASTMILE_SECRET_KEY: testSecretKey,
        AAA_ADMIN_PORT: '1',
        ...environment,
      };
      execFile(process.execPath, ['ops/run.mjs', 'ops/seed/main.ts', ...args], { cwd: root, env }, (error, out, err) =>
        resolve({ code: error ? 1 : 0, output: out + err }),
      );
    });
  const count = async (table: string) => Number((await owner.query(`SELECT count(*) AS n FROM ${table}`)).rows[0].n);

  await t.test('adds subscribers with what the contract says', async (t) => {
    const run = await seed(['--subscribers', '1000']);
    t.equal(run.code, 0, run.output);
    const { rows } = await owner.query(
      `SELECT k.user_name, k.password_cipher, c.account_number, c.status AS customer, s.status, s.paid_until,
         f.down_bps, f.up_bps, f.suspend_action, f.fup_rules, t.slug, t.id AS tenant_id
       FROM credential k JOIN subscription s ON s.id = k.subscription_id JOIN customer c ON c.id = s.customer_id
       JOIN tariff f ON f.id = s.tariff_id JOIN tenant t ON t.id = s.tenant_id ORDER BY s.id`,
    );
    t.equal(rows.length, 1000);
    t.match(rows[0], {
      user_name: 'user0',
      customer: 'active',
      status: 'active',
      slug: 'demo',
      suspend_action: 'reject',
    });
    t.same(
      rows.slice(0, 4).map((row) => `${Number(row.up_bps) / 1e6}M/${Number(row.down_bps) / 1e6}M`),
      ['5M/20M', '10M/50M', '20M/100M', '5M/20M'],
    );
    t.same(rows[1].fup_rules, [
      {
        window: 'day',
        direction: 'total',
        thresholdBytes: 10_000_000_000,
        effect: { kind: 'speed', upBps: 2_000_000, downBps: 2_000_000 },
      },
    ]);
    t.ok(rows.every((row) => row.paid_until.getTime() > Date.now() + 364 * 86_400_000));
    t.equal(new Set(rows.map((row) => row.account_number)).size, 1000);
    for (const row of [rows[0], rows[999]])
      t.equal(
        testKeyring.decrypt('credential', `${row.tenant_id}::${row.user_name}`, row.password_cipher).toString(),
        'pass123',
      );
    const nas = (await owner.query('SELECT * FROM nas')).rows;
    t.match(nas, [
      {
        address: '127.0.0.0/8',
        vendor: 'mikrotik',
        coa_port: 3799,
        adopted_at: null,
        require_message_authenticator: false,
      },
    ]);
    t.equal(
      testKeyring.decrypt('nas', `${nas[0].tenant_id}:127.0.0.0/8`, nas[0].secret_cipher).toString(),
      'testing123',
    );
  });

  await t.test('may run again and only adds what is missing', async (t) => {
    await owner.query("UPDATE customer SET status = 'blocked' WHERE name = 'Subscriber 0'");
    const run = await seed(['--subscribers', '1010']);
    t.match(run, { code: 0, output: /10 of them new/ });
    t.equal(await count('credential'), 1010);
    t.equal(await count('nas'), 1);
    t.equal(await count("customer WHERE status = 'blocked'"), 1);
  });

  await t.test('takes away its own and nothing else, and lets the guard follow by count', async (t) => {
    const tenantId = (await owner.query('SELECT id FROM tenant')).rows[0].id;
    await owner.query("INSERT INTO customer (tenant_id, account_number, name) VALUES ($1, '999999', 'a real one')", [
      tenantId,
    ]);
    const confirmed: unknown[] = [];
    const startedAt = performance.now();
    let removalsSeen = false;
    let held = 1014; // with the access server and the tariffs
    const admin = createServer((request, response) => {
      if (request.headers.authorization !== `Bearer ${testKeyring.derive('admin-token').toString('hex')}`)
        return void response.writeHead(401).end();
      // The edge comes to the removals only after a while, and until then holds nothing.
      if (request.url?.startsWith('/credential'))
        return void response.writeHead(removalsSeen && held === 0 ? 404 : 200).end('{}');
      if (request.method === 'GET') {
        removalsSeen ||= performance.now() - startedAt > 5000;
        const data =
          removalsSeen && held > 0
            ? [{ tenant_id: Number(tenantId), kind: 'removals', count: held, since: new Date().toISOString() }]
            : [];
        return void response.end(JSON.stringify({ data }));
      }
      request.on('data', (chunk) => confirmed.push(JSON.parse(String(chunk))));
      request.on('end', () => {
        held = 0;
        response.end('{}');
      });
    });
    await new Promise<void>((resolve) => admin.listen(0, '127.0.0.1', resolve));
    t.teardown(() => admin.close());
    const address = admin.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const run = await seed(['--purge'], { AAA_ADMIN_PORT: String(port) });
    t.match(run, { code: 0, output: /follows 1014 removals[\s\S]*1010 subscribers are removed/ });
    t.same(confirmed, [{ tenant_id: Number(tenantId), count: 1014 }]);
    for (const table of ['credential', 'subscription', 'nas', 'tariff', 'service'])
      t.equal(await count(table), 0, table);
    t.same((await owner.query('SELECT name FROM customer')).rows, [{ name: 'a real one' }]);
  });

  await t.test('refuses open addresses and other customers, unless it is forced', async (t) => {
    t.equal(await refusal(owner, ['127.0.0.1', '::1', '127.9.9.9']), null);
    t.match(await refusal(owner, ['127.0.0.1', '0.0.0.0']), /BIND_HOST 0\.0\.0\.0/);
    t.match(await refusal(owner, ['::']), /BIND_HOST ::/);
    await owner.query(
      `WITH made AS (INSERT INTO tenant (slug, name) VALUES ('real', 'Real ISP') RETURNING id)
       INSERT INTO customer (tenant_id, account_number, name) SELECT id, '100008', 'somebody' FROM made`,
    );
    t.match(await refusal(owner, ['127.0.0.1']), /customers of tenant real/);
    t.match(await seed(['--subscribers', '1']), { code: 1, output: /customers of tenant real; --force/ });
    t.match(await seed(['--subscribers', '1', '--force'], { BIND_HOST: '::1,10.0.0.1' }), { code: 0 });
  });
});

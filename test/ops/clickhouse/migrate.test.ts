// The schema of ClickHouse: applied once, checked against change, rendered for a cluster, with retention by settings.
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { migrateClickHouse } from '#ops/stores/clickhouse/migrate.ts';
import { fillTemplate, statementsOf } from '#ops/stores/clickhouse/template.ts';
import { clickHouseProblem, createClickHouse } from '#ops/stores/clickhouse.ts';
import { readMigrations } from '#ops/stores/migrate.ts';
import { keepForEver, startClickHouse } from '#test/support/clickhouse.ts';

t.setTimeout(300_000);

const ours = path.resolve(import.meta.dirname, '../../../ops/stores/clickhouse/migrations');
const single = { cluster: '' };

function copyOfOurs(t: { teardown(handler: () => unknown): unknown }): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'lastmile-migrations-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  cpSync(ours, directory, { recursive: true });
  return directory;
}

t.test('migrations', async (t) => {
  const store = await startClickHouse(t, { migrated: false });
  const { url } = store;
  const migrate = (directory: string, retention = keepForEver) =>
    migrateClickHouse({ url, deployment: single, retention, directory });
  const text = async (query: string) => (await store.client.query({ query, format: 'TabSeparated' })).text();

  await t.test('make the database and its tables, and are applied once', async (t) => {
    t.same(await migrate(ours), ['0001_accounting.sql', '0002_flows.sql', '0003_logins.sql']);
    t.same(await migrate(ours), []);
    t.equal(
      await text('SELECT version, name FROM schema_migration ORDER BY version'),
      '1\t0001_accounting.sql\n2\t0002_flows.sql\n3\t0003_logins.sql\n',
    );
  });

  await t.test('give every table durable inserts and a memory of tokens, behind views too', async (t) => {
    const lacking = await text(`SELECT name FROM system.tables WHERE database = 'lastmile' AND engine LIKE '%MergeTree'
      AND NOT (engine_full LIKE '%non_replicated_deduplication_window = 10000%' AND engine_full LIKE '%fsync_after_insert = 1%')`);
    t.equal(lacking, '');
    const targets =
      await text(`SELECT extract(create_table_query, ' TO [a-z]+\\.([a-z0-9_]+)') AS target FROM system.tables
      WHERE database = 'lastmile' AND engine = 'MaterializedView' ORDER BY target`);
    t.equal(targets, 'flows_1d\nflows_1h\nflows_1m\n');
  });

  await t.test('that two nodes apply at the same time are applied once', async (t) => {
    const other = new URL(url);
    other.pathname = '/together';
    const both = [1, 2].map(() => migrateClickHouse({ url: other.href, deployment: single, retention: keepForEver }));
    await Promise.all(both);
    t.equal(await text('SELECT uniqExact(version), count() <= 6 FROM together.schema_migration'), '3\t1\n');
    t.same(await migrateClickHouse({ url: other.href, deployment: single, retention: keepForEver }), []);
  });

  await t.test('that were changed after they were applied are refused, and so is a newer database', async (t) => {
    const changed = copyOfOurs(t);
    writeFileSync(path.join(changed, '0001_accounting.sql'), 'SELECT 1;\n');
    await t.rejects(migrate(changed), /^0001_accounting\.sql was changed after it was applied/);
    const older = copyOfOurs(t);
    rmSync(path.join(older, '0003_logins.sql'));
    await t.rejects(migrate(older), /has migration 0003_logins\.sql, which this code does not know/);
  });

  await t.test('that fail are told, and go on where they stopped when they are mended', async (t) => {
    const directory = copyOfOurs(t);
    const file = path.join(directory, '0004_more.sql');
    const first = 'CREATE TABLE IF NOT EXISTS more (a UInt8) ENGINE = {{engine MergeTree}} ORDER BY a {{settings}};\n';
    writeFileSync(file, `${first}CREATE TABEL wrong;\n`);
    await t.rejects(migrate(directory), /^migration 0004_more\.sql failed: Syntax error/);
    t.equal(await text('EXISTS TABLE more'), '1\n', 'ClickHouse keeps what came before');
    writeFileSync(file, first);
    t.same(await migrate(directory), ['0004_more.sql']);
    await store.client.command({ query: 'DROP TABLE more' });
    await store.client.command({
      query: 'ALTER TABLE schema_migration DELETE WHERE version = 4 SETTINGS mutations_sync = 1',
    });
  });

  await t.test('wait for a server that is away, but not for one that refuses', async (t) => {
    const away = migrateClickHouse({ url: 'http://a:b@127.0.0.1:1/c', deployment: single, retention: keepForEver });
    await t.rejects(away, { name: 'ClickHouseAway' });
    const stranger = new URL(url);
    stranger.password = 'guess';
    const refused = migrateClickHouse({ url: stranger.href, deployment: single, retention: keepForEver });
    await t.rejects(refused, /^ClickHouse refuses us: .*Authentication failed/);
  });

  await t.test('the retention of each table follows the settings', async (t) => {
    const ttl = (table: string) =>
      text(
        `SELECT extract(engine_full, 'TTL (.*?) SETTINGS') FROM system.tables WHERE database = 'lastmile' AND name = '${table}'`,
      );
    t.same(await migrate(ours, { ...keepForEver, flows: 30, flows_1h: 400 }), [
      'retention of flows',
      'retention of flows_1h',
    ]);
    t.equal(await ttl('flows'), 'toDateTime(ended_at) + toIntervalDay(30)\n');
    t.same(await migrate(ours, { ...keepForEver, flows: 30, flows_1h: 400 }), [], 'once');
    await store.stop();
    await store.restart();
    t.same(await migrate(ours, { ...keepForEver, flows: 7, flows_1h: 400 }), ['retention of flows']);
    t.equal(await ttl('flows'), 'toDateTime(ended_at) + toIntervalDay(7)\n');
    await store.client.insert({
      table: 'flows',
      values: [
        { batch: 'old', ended_at: '2020-01-01 00:00:00' },
        { batch: 'new', ended_at: new Date() },
      ],
      format: 'JSONEachRow',
    });
    await store.client.command({ query: 'OPTIMIZE TABLE flows FINAL' });
    t.equal(await text('SELECT batch FROM flows'), 'new\n', 'what is older is gone');
    t.same(await migrate(ours), ['retention of flows', 'retention of flows_1h']);
    t.equal(await ttl('flows'), '\n');
  });
});

t.test('accounting: a record that is written again by a later generation replaces itself', async (t) => {
  const { client } = await startClickHouse(t);
  const row = { wal: 'w', position: 7, part: 0, tenant_id: 1, subscription_id: 2, meter: 'radius', kind: 'interim' };
  for (const generation of [1, 2]) {
    await client.insert({
      table: 'accounting',
      values: [{ ...row, generation, down_delta: generation * 10, event_at: '2026-03-01 10:00:00.123' }],
      format: 'JSONEachRow',
    });
  }
  const result = await client.query({
    query: 'SELECT generation, down_delta, event_at FROM accounting FINAL',
    format: 'JSONEachRow',
  });
  t.same(await result.json(), [{ generation: '2', down_delta: '20', event_at: '2026-03-01 10:00:00.123' }]);
});

t.test('for a cluster', async (t) => {
  const deployment = { cluster: 'isp' };
  const rendered = readMigrations(ours).map(({ sql }) => statementsOf(fillTemplate(sql, deployment)));

  await t.test('every table is replicated on each shard, with a distributed one over them', async (t) => {
    const all = rendered.flat();
    const named = (pattern: RegExp) => all.flatMap((sql) => pattern.exec(sql)?.[1] ?? []).sort();
    const locals = named(/^CREATE TABLE IF NOT EXISTS (\w+)_local ON CLUSTER 'isp'\s*\(/);
    t.same(locals, ['accounting', 'flows', 'flows_1d', 'flows_1h', 'flows_1m', 'logins']);
    t.same(
      named(
        /^CREATE TABLE IF NOT EXISTS (\w+) ON CLUSTER 'isp' AS \1_local\s+ENGINE = Distributed\('isp', currentDatabase\(\), '\1_local', cityHash64\(tenant_id, subscription_id\)\)$/,
      ),
      locals,
    );
    for (const sql of all.filter((one) => / ENGINE = .*MergeTree|^ENGINE/m.test(one) && !/Distributed/.test(one))) {
      t.match(sql, /ENGINE = Replicated\w*MergeTree\('\/clickhouse\/tables\/\{uuid\}\/\{shard\}', '\{replica\}'/);
      t.match(sql, /replicated_deduplication_window = 10000/);
    }
    t.match(
      all.join('\n'),
      "ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', generation)",
    );
    t.match(
      all.join('\n'),
      "ReplicatedSummingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', (bytes, packets, flows))",
    );
  });

  await t.test('views read and write the rows of their own shard', async (t) => {
    const views = rendered.flat().filter((sql) => sql.startsWith('CREATE MATERIALIZED VIEW'));
    t.equal(views.length, 3);
    for (const view of views) {
      t.match(view, /^CREATE MATERIALIZED VIEW IF NOT EXISTS \w+ ON CLUSTER 'isp' TO \w+_local AS/);
      t.match(view, /\nFROM \w+_local AS r\n/);
    }
  });

  await t.test('every statement is one that ClickHouse can read', async (t) => {
    const { client } = await startClickHouse(t);
    for (const sql of rendered.flat()) {
      const result = await client.query({
        query: 'SELECT formatQuery({sql: String}) AS formatted',
        query_params: { sql },
        format: 'JSONEachRow',
      });
      t.equal((await result.json()).length, 1);
    }
  });

  t.test('a placeholder that nobody knows is an error, and a name cannot break out', async (t) => {
    t.throws(() => fillTemplate('{{tabel flows}}', deployment), /\{\{tabel flows\}\} is no placeholder/);
    t.equal(fillTemplate('x{{on_cluster}}', { cluster: "a'b" }), "x ON CLUSTER 'a\\'b'");
  });
});

t.test('the readiness check names what is wrong', async (t) => {
  const store = await startClickHouse(t);
  t.equal(await clickHouseProblem(store.client), null);
  await store.client.command({ query: 'CREATE TABLE weak (a UInt8) ENGINE = MergeTree ORDER BY a' });
  t.match(await clickHouseProblem(store.client), /may lose acknowledged rows with the power/);
  await store.stop();
  const client = createClickHouse(store.url);
  t.teardown(() => client.close());
  t.match(await clickHouseProblem(client), /^ClickHouse does not answer/);
});

// The embedded ClickHouse as its clients meet it: @clickhouse/client and curl over HTTP.
import t from 'tap';
import { clickHouseProblem } from '#ops/stores/clickhouse.ts';
import { startClickHouse } from '#test/support/clickhouse.ts';

t.test('a fresh database is migrated and serves @clickhouse/client', async (t) => {
  const { client } = await startClickHouse(t);
  const tables = await (await client.query({ query: 'SHOW TABLES', format: 'JSON' })).json<{ name: string }>();
  t.same(
    tables.data.map(({ name }) => name).filter((name) => !name.endsWith('_view')),
    ['accounting', 'flows', 'flows_1d', 'flows_1h', 'flows_1m', 'schema_migration'],
  );
  t.equal(await clickHouseProblem(client), null, 'fit to be used');

  const flow = {
    batch: 'a',
    tenant_id: 1,
    subscription_id: 2,
    exporter: '::ffff:192.0.2.1',
    ended_at: '2026-03-01 10:59:59.500',
    direction: 'down',
    protocol: 6,
    bytes: 1000,
    packets: 2,
  };
  await client.insert({
    table: 'flows',
    values: [
      { ...flow, sampling_rate: 1 },
      { ...flow, sampling_rate: 100 },
    ],
    format: 'JSONEachRow',
  });
  for (const [table, slot] of [
    ['flows_1m', '2026-03-01 10:59:00'],
    ['flows_1h', '2026-03-01 10:00:00'],
    ['flows_1d', '2026-03-01 00:00:00'],
  ]) {
    const rows = await client.query({
      query: `SELECT toString(slot) AS slot, sampled, bytes, packets, flows FROM ${table} ORDER BY sampled`,
      format: 'JSONEachRow',
    });
    t.same(await rows.json(), [
      { slot, sampled: false, bytes: '1000', packets: '2', flows: '1' },
      { slot, sampled: true, bytes: '100000', packets: '200', flows: '1' },
    ]);
  }
});

t.test('rows that were acknowledged survive kill -9, and a retry with the same token counts once', async (t) => {
  const { client, kill, restart } = await startClickHouse(t);
  const insert = (n: number) =>
    client.insert({
      table: 'flows',
      values: [{ batch: String(n), ended_at: '2026-03-01 10:00:00', bytes: 1, sampling_rate: 1 }],
      format: 'JSONEachRow',
      clickhouse_settings: { insert_deduplication_token: `token-${n}` },
    });
  for (let n = 0; n < 20; n++) await insert(n);
  await kill();
  await restart();
  for (let n = 15; n < 25; n++) await insert(n);
  const counted = await client.query({
    query: `SELECT count() AS rows, uniqExact(batch) AS batches,
        (SELECT sum(flows) FROM flows_1m) AS minutes, (SELECT sum(flows) FROM flows_1d) AS days FROM flows`,
    format: 'JSONEachRow',
  });
  t.same(await counted.json(), [{ rows: '25', batches: '25', minutes: '25', days: '25' }]);
});

// The embedded ClickHouse killed with -9 in the middle of inserts: what was acknowledged stays, what is sent again counts once.
import { readdirSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import type { ClickHouseClient } from '#ops/stores/clickhouse.ts';
import { startClickHouse, type TestClickHouse } from '#test/support/clickhouse.ts';
import { runs } from '#test/support/effort.ts';
import { until } from '#test/support/wait.ts';

t.setTimeout(600_000);

const ROWS = 20;

/** A batch spans two days, so two parts of `flows` and of each rollup. */
async function insertBatch(client: ClickHouseClient, batch: number): Promise<void> {
  await client.insert({
    table: 'flows',
    values: Array.from({ length: ROWS }, (_, row) => ({
      batch: String(batch),
      subscription_id: row,
      ended_at: row % 2 === 0 ? '2026-03-01 23:59:59.000' : '2026-03-02 00:00:00.000',
      bytes: 1,
      packets: 1,
      sampling_rate: 1,
    })),
    format: 'JSONEachRow',
    clickhouse_settings: { insert_deduplication_token: `batch ${batch}` },
  });
}

/** Sends the batch until it is acknowledged. */
async function deliver(client: ClickHouseClient, batch: number): Promise<void> {
  await until(() => insertBatch(client, batch).then(() => true), `batch ${batch} is acknowledged`, 120_000);
}

async function counts({ client }: TestClickHouse): Promise<Record<string, number>> {
  const result = await client.query({
    query: `SELECT (SELECT count() FROM flows) AS flows, (SELECT uniqExact(batch, subscription_id) FROM flows) AS distinct,
      (SELECT sum(flows) FROM flows_1m) AS minutes, (SELECT sum(flows) FROM flows_1h) AS hours,
      (SELECT sum(flows) FROM flows_1d) AS days`,
    format: 'JSONEachRow',
  });
  const [row] = await result.json<Record<string, string>>();
  return Object.fromEntries(Object.entries(row ?? {}).map(([name, value]) => [name, Number(value)]));
}

const each = (rows: number) => ({ flows: rows, distinct: rows, minutes: rows, hours: rows, days: rows });

t.test('kill -9 during a stream of inserts loses nothing acknowledged and doubles nothing', async (t) => {
  const store = await startClickHouse(t);
  const rounds = runs(5);
  let next = 0;
  let acknowledged = 0;

  /** One sender: batch after batch, each until it is acknowledged, as the shipper does. */
  async function send(until: () => boolean): Promise<void> {
    while (!until()) {
      const batch = next++;
      await deliver(store.client, batch);
      acknowledged++;
    }
  }

  for (let round = 1; round <= rounds; round++) {
    const enough = acknowledged + 10;
    let killed = false;
    const senders = Array.from({ length: 4 }, () => send(() => killed && acknowledged >= enough));
    await until(() => acknowledged >= enough - 6, 'some batches are acknowledged', 120_000);
    await store.kill();
    killed = true;
    await store.restart();
    await Promise.all(senders);
    t.same(await counts(store), each(acknowledged * ROWS), `round ${round}: ${acknowledged} batches, each once`);
  }
});

t.test('an insert that was killed between its token and its rows can be sent again', async (t) => {
  const store = await startClickHouse(t);
  for (let batch = 0; batch < 3; batch++) await deliver(store.client, batch);
  await store.stop();
  const [part] = hideNewestPart(store, 'flows');
  t.ok(part, `the part ${part} is as if it had never been committed`);
  await store.restart();
  t.equal((await counts(store)).flows, 2.5 * ROWS, 'half of the last batch is missing');
  await deliver(store.client, 2);
  t.same(await counts(store), each(3 * ROWS), 'its retry brings the missing half, and no other');
  t.match(readFileSync(path.join(store.folder.path, 'logs', 'clickhouse.log'), 'utf8'), /1 insert.* cut off/);
});

/** What a crash after the token's record and before the commit leaves behind. */
function hideNewestPart(store: TestClickHouse, table: string): string[] {
  const data = path.join(store.folder.path, 'clickhouse', 'store', 'data', 'lastmile', table);
  const parts = readdirSync(data)
    .filter((name) => /^\d+_\d+_\d+_0$/.test(name))
    .sort((left, right) => Number(left.split('_')[1]) - Number(right.split('_')[1]));
  const newest = parts.at(-1);
  if (newest === undefined) return [];
  renameSync(path.join(data, newest), path.join(store.folder.path, newest));
  return [newest];
}

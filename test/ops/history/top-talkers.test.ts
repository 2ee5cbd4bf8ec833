// Who moves the most bytes, asked of a real ClickHouse over rows of flows.
import t from 'tap';
import { readTopTalkers } from '#ops/history/top-talkers.ts';
import { startClickHouse } from '#test/support/clickhouse.ts';

const nowMs = Date.UTC(2027, 2, 1, 12, 0, 0);
const minuteMs = 60_000;
const text = (ms: number) => new Date(ms).toISOString().replace('T', ' ').replace('Z', '');

function flow(tenant: number, subscription: number, direction: string, bytes: number, agoMs: number, rate = 1) {
  const at = text(nowMs - agoMs);
  return {
    tenant_id: tenant,
    subscription_id: subscription,
    exporter: '::ffff:10.0.0.1',
    version: 9,
    ...{ received_at: at, started_at: at, ended_at: at, direction, src: '::', dst: '::', bytes, packets: 1 },
    sampling_rate: rate,
  };
}

t.test('the subscriptions with the most bytes since an instant, of one tenant', async (t) => {
  const { client } = await startClickHouse(t);
  await client.insert({
    table: 'flows',
    format: 'JSONEachRow',
    values: [
      flow(1, 7, 'down', 900, minuteMs),
      flow(1, 7, 'up', 50, 2 * minuteMs),
      flow(1, 7, 'down', 1_000_000, 90 * minuteMs),
      flow(1, 8, 'down', 10, minuteMs, 100),
      flow(1, 9, 'local', 300, minuteMs),
      flow(1, 0, 'unknown', 5000, minuteMs),
      flow(2, 7, 'down', 9999, minuteMs),
    ],
  });
  const ask = (limit: number) => readTopTalkers(client, { tenantId: 1, sinceMs: nowMs - 60 * minuteMs, limit });
  t.strictSame(await ask(10), [
    { subscriptionId: 8, upBytes: 0, downBytes: 1000 },
    { subscriptionId: 7, upBytes: 50, downBytes: 900 },
    { subscriptionId: 9, upBytes: 300, downBytes: 0 },
  ]);
  t.strictSame((await ask(1)).length, 1);
});

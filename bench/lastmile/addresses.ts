// Gives every subscriber of the seed an address of one pool and one session at most, a second one refused: each login then asks Redis.
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { createPoolLedger } from '#policy/ledger/pools.ts';
import { until } from '#test/support/wait.ts';
import type { LastmileTarget } from './lastmile.ts';
import { readMetrics } from './metrics.ts';

/** More than any bench has subscribers. */
const range = '100.64.0.0/12';

export async function giveAddresses(target: LastmileTarget): Promise<void> {
  const { stack, stores, accounts } = target;
  const applied = async (kind: string) =>
    (await readMetrics(stack.aaaAdminUrl)).sum('lastmile_feed_applied_total', `kind="${kind}"`);
  const before = { plan: await applied('plan'), tenant: await applied('tenant'), pool: await applied('pool') };
  const pool = (await stack.api('POST', '/pools', {
    ...{ name: 'bench', family: 'ipv4', reserve: 256, ranges: [{ prefix: range }] },
  })) as { id: number; ranges: { id: number }[] };
  const client = new Client({ connectionString: stores.databaseUrl });
  await client.connect();
  try {
    await client.query('UPDATE tariff SET ipv4_pool_id = $2, session_limit = 1 WHERE tenant_id = $1', [
      accounts.tenantId,
      pool.id,
    ]);
    await client.query(`UPDATE tenant SET session_mode = 'refuse' WHERE id = $1`, [accounts.tenantId]);
  } finally {
    await client.end();
  }
  await until(
    async () =>
      (await applied('plan')) > before.plan &&
      (await applied('tenant')) > before.tenant &&
      (await applied('pool')) > before.pool,
    () => `the edge knows the pool and the limit; it printed:\n${target.output()}`,
    30_000,
    100,
  );
  const redis = new Redis(stores.redisUrl);
  try {
    const { unseen } = createPoolLedger(redis);
    const ranges = pool.ranges.map(({ id }) => id);
    await until(async () => (await unseen(pool.id, ranges)).length === 0, 'the new pool is leased from', 60_000, 100);
  } finally {
    redis.disconnect();
  }
}

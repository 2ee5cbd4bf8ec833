// A small ISP in the database of a test, written as the owner.
import { Client } from 'pg';
import { testKeyring } from '#test/support/stores.ts';
import { until } from '#test/support/wait.ts';

export type Isp = {
  readonly db: Client;
  readonly tenantId: number;
  readonly planId: number;
  readonly nasId: number;
  /** Adds subscriptions with one credential each, `<prefix>0…`, password pass123. @returns their ids. */
  addSubscriptions(count: number, prefix?: string): Promise<number[]>;
  /** Deletes them with everything that hangs on them, in one transaction. */
  deleteSubscriptions(ids: readonly number[]): Promise<void>;
};

/** Prunes the whole feed. A transaction of any other test on the same server may hold rows back for a while. */
export async function pruneFeed(isp: Isp): Promise<void> {
  await until(
    async () => {
      await isp.db.query(`SELECT feed_prune(interval '-1 second')`);
      return Number((await isp.db.query('SELECT count(*) AS n FROM feed_change')).rows[0].n) === 0;
    },
    'the whole feed is pruned',
    60_000,
  );
}

type Teardown = { teardown(handler: () => unknown): unknown };

let made = 0;

export async function createIsp(t: Teardown, ownerUrl: string): Promise<Isp> {
  const db = new Client({ connectionString: ownerUrl });
  db.on('error', () => {});
  await db.connect();
  t.teardown(() => db.end().catch(() => {}));
  const number = ++made;
  const id = async (sql: string, values: unknown[] = []) => Number((await db.query(sql, values)).rows[0].id);
  const tenantId = await id(`INSERT INTO tenant (slug, name) VALUES ($1, 'Test') RETURNING id`, [`isp${number}`]);
  const serviceId = await id(
    `INSERT INTO service (tenant_id, category, name) VALUES ($1, 'internet', 'Basic') RETURNING id`,
    [tenantId],
  );
  const planId = await id(
    `INSERT INTO tariff (tenant_id, service_id, version, up_bps, down_bps, fup_rules)
     VALUES ($1, $2, 1, 5000000, 20000000, $3) RETURNING id`,
    [
      tenantId,
      serviceId,
      JSON.stringify([
        {
          window: 'day',
          direction: 'total',
          thresholdBytes: 10_000_000_000,
          effect: { kind: 'speed', upBps: 2_000_000, downBps: 2_000_000 },
        },
      ]),
    ],
  );
  const address = `10.${number}.0.0/24`;
  const nasId = await id(
    'INSERT INTO nas (tenant_id, name, address, secret_cipher) VALUES ($1, $2, $3, $4) RETURNING id',
    [tenantId, 'edge', address, testKeyring.encrypt('nas', `${tenantId}:${address}`, Buffer.from('testing123'))],
  );
  const customerId = await id(
    `INSERT INTO customer (tenant_id, account_number, name, status) VALUES ($1, '100008', 'Ada', 'active') RETURNING id`,
    [tenantId],
  );
  return {
    db,
    tenantId,
    planId,
    nasId,
    async addSubscriptions(count, prefix = 'user') {
      const { rows } = await db.query(
        `INSERT INTO subscription (tenant_id, customer_id, service_id, tariff_id, status, paid_until)
         SELECT $1, $2, $3, $4, 'active', '2031-01-01' FROM generate_series(1, $5) RETURNING id`,
        [tenantId, customerId, serviceId, planId, count],
      );
      const ids = rows.map((row) => Number(row.id));
      const cipher = testKeyring.encrypt('credential', `${tenantId}::${prefix}`, Buffer.from('pass123'));
      await db.query(
        `INSERT INTO credential (tenant_id, subscription_id, user_name, password_cipher)
         SELECT $1, id, $2 || (n - 1), $3 FROM unnest($4::bigint[]) WITH ORDINALITY AS s (id, n)`,
        [tenantId, prefix, cipher, ids],
      );
      return ids;
    },
    async deleteSubscriptions(ids) {
      await db.query('BEGIN');
      for (const table of ['credential', 'address_assignment', 'subscription_hold']) {
        await db.query(`DELETE FROM ${table} WHERE subscription_id = ANY ($1)`, [ids]);
      }
      await db.query('DELETE FROM subscription WHERE id = ANY ($1)', [ids]);
      await db.query('COMMIT');
    },
  };
}

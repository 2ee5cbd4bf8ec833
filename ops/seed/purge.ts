// Takes away what the seed added, and nothing else: customers with a seed's name whose only subscriptions have seeded user names.
import type { Client } from 'pg';
import { catalog, seedNasName, tenantIdOf } from './demo.ts';
import type { Progress } from './progress.ts';

const batchSize = 5000;

export type Purged = {
  tenantId: number;
  subscribers: number;
  /** Subscriptions, credentials, access servers and tariffs: at most so many removals may the guard of aaa-server count. */
  records: number;
  /** A user name of those removed last: when the edge no longer knows it, it has followed; '' when there was none. */
  lastUserName: string;
};

export async function purge(client: Client, progress: Progress): Promise<Purged> {
  const tenantId = await tenantIdOf(client);
  await client.query('ANALYZE customer, subscription, credential');
  const { rows } = await client.query<{ id: string }>(
    `SELECT id FROM customer WHERE tenant_id = $1 AND name ~ '^Subscriber [0-9]+$'
       AND EXISTS (SELECT FROM subscription s JOIN credential k ON k.tenant_id = s.tenant_id AND k.subscription_id = s.id
                   WHERE s.tenant_id = $1 AND s.customer_id = customer.id AND k.user_name ~ '^user[0-9]+$')
       AND NOT EXISTS (SELECT FROM subscription s LEFT JOIN credential k ON k.tenant_id = s.tenant_id AND k.subscription_id = s.id
                   WHERE s.tenant_id = $1 AND s.customer_id = customer.id AND (k.user_name IS NULL OR k.user_name !~ '^user[0-9]+$'))`,
    [tenantId],
  );
  const lastUserName = await userNameOf(client, tenantId, rows.at(-1)?.id);
  let records = 0;
  for (let first = 0; first < rows.length; first += batchSize) {
    const batch = rows.slice(first, first + batchSize).map(({ id }) => id);
    records += await removeCustomers(client, tenantId, batch);
    progress.show(first + batch.length, rows.length);
  }
  progress.end();
  records += await removeCatalog(client, tenantId);
  return { tenantId, subscribers: rows.length, records, lastUserName };
}

async function userNameOf(client: Client, tenantId: number, customerId: string | undefined): Promise<string> {
  if (customerId === undefined) return '';
  const { rows } = await client.query<{ user_name: string }>(
    `SELECT k.user_name FROM credential k JOIN subscription s ON s.tenant_id = k.tenant_id AND s.id = k.subscription_id
     WHERE s.tenant_id = $1 AND s.customer_id = $2 LIMIT 1`,
    [tenantId, customerId],
  );
  return rows[0]?.user_name ?? '';
}

async function removeCustomers(client: Client, tenantId: number, ids: readonly string[]): Promise<number> {
  const own = 'SELECT id FROM subscription WHERE tenant_id = $1 AND customer_id = ANY($2)';
  await client.query('BEGIN');
  try {
    for (const table of ['subscription_hold', 'address_assignment'])
      await client.query(`DELETE FROM ${table} WHERE tenant_id = $1 AND subscription_id IN (${own})`, [tenantId, ids]);
    const credentials = await client.query(
      `DELETE FROM credential WHERE tenant_id = $1 AND subscription_id IN (${own})`,
      [tenantId, ids],
    );
    const subscriptions = await client.query(
      'DELETE FROM subscription WHERE tenant_id = $1 AND customer_id = ANY($2)',
      [tenantId, ids],
    );
    await client.query('DELETE FROM customer WHERE tenant_id = $1 AND id = ANY($2)', [tenantId, ids]);
    await client.query('COMMIT');
    return (credentials.rowCount ?? 0) + (subscriptions.rowCount ?? 0);
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}

/** The access servers and tariffs go too, where nothing else came to use them. */
async function removeCatalog(client: Client, tenantId: number): Promise<number> {
  const unused = `tenant_id = $1 AND NOT EXISTS (SELECT FROM subscription WHERE tenant_id = $1)`;
  const seeded = `SELECT id FROM service WHERE tenant_id = $1 AND name = ANY($2)`;
  const names = catalog.map(({ name }) => name);
  const servers = await client.query(`DELETE FROM nas WHERE ${unused} AND name = $2`, [tenantId, seedNasName]);
  const tariffs = await client.query(`DELETE FROM tariff WHERE ${unused} AND service_id IN (${seeded})`, [
    tenantId,
    names,
  ]);
  await client.query(`DELETE FROM service WHERE ${unused} AND id IN (${seeded})`, [tenantId, names]);
  return (servers.rowCount ?? 0) + (tariffs.rowCount ?? 0);
}

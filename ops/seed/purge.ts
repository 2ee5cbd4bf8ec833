// Takes away what the seed added, and nothing else: customers with a seed's name whose only subscriptions have seeded user names.
import type { Client } from 'pg';
import { catalog, seedNasName, tenantIdOf } from './demo.ts';
import type { Progress } from './progress.ts';

const batchSize = 5000;

export async function purge(client: Client, progress: Progress): Promise<{ tenantId: number; removed: number }> {
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
  for (let first = 0; first < rows.length; first += batchSize) {
    const batch = rows.slice(first, first + batchSize).map(({ id }) => id);
    await removeCustomers(client, tenantId, batch);
    progress.show(first + batch.length, rows.length);
  }
  progress.end();
  await removeCatalog(client, tenantId);
  return { tenantId, removed: rows.length };
}

async function removeCustomers(client: Client, tenantId: number, ids: readonly string[]): Promise<void> {
  const own = 'SELECT id FROM subscription WHERE tenant_id = $1 AND customer_id = ANY($2)';
  await client.query('BEGIN');
  try {
    for (const table of ['subscription_hold', 'credential', 'address_assignment'])
      await client.query(`DELETE FROM ${table} WHERE tenant_id = $1 AND subscription_id IN (${own})`, [tenantId, ids]);
    await client.query('DELETE FROM subscription WHERE tenant_id = $1 AND customer_id = ANY($2)', [tenantId, ids]);
    await client.query('DELETE FROM customer WHERE tenant_id = $1 AND id = ANY($2)', [tenantId, ids]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}

/** The access servers and tariffs go too, where nothing else came to use them. */
async function removeCatalog(client: Client, tenantId: number): Promise<void> {
  const unused = `tenant_id = $1 AND NOT EXISTS (SELECT FROM subscription WHERE tenant_id = $1)`;
  const seeded = `SELECT id FROM service WHERE tenant_id = $1 AND name = ANY($2)`;
  const names = catalog.map(({ name }) => name);
  await client.query(`DELETE FROM nas WHERE ${unused} AND name = $2`, [tenantId, seedNasName]);
  await client.query(`DELETE FROM tariff WHERE ${unused} AND service_id IN (${seeded})`, [tenantId, names]);
  await client.query(`DELETE FROM service WHERE ${unused} AND id IN (${seeded})`, [tenantId, names]);
}

// Adds the missing ones of user0 … user<count − 1>: a customer, a subscription and a credential each, many to a statement.
import type { Client } from 'pg';
import type { Keyring } from '#ops/runtime/keyring.ts';
import { accountNumber } from '#policy/customers/account-number.ts';
import type { Demo } from './demo.ts';
import type { Progress } from './progress.ts';

export const userName = (index: number) => `user${index}`;
export const customerName = (index: number) => `Subscriber ${index}`;
const password = Buffer.from('pass123');
const batchSize = 2000;
const yearMs = 365 * 86_400_000;

/** Gives how many were added. Each batch is a transaction of its own: what was done stays when it is stopped. */
export async function addSubscribers(
  client: Client,
  keyring: Keyring,
  demo: Demo,
  count: number,
  progress: Progress,
): Promise<number> {
  let added = 0;
  const paidUntil = new Date(Date.now() + yearMs);
  for (let first = 0; first < count; first += batchSize) {
    const indexes = Array.from({ length: Math.min(batchSize, count - first) }, (_, place) => first + place);
    const missing = await missingOf(client, demo.tenantId, indexes);
    if (missing.length > 0) await insert(client, keyring, demo, missing, paidUntil);
    added += missing.length;
    progress.show(first + indexes.length, count);
  }
  progress.end();
  // The planner knows nothing of rows that came this fast, and would read whole tables for each of them.
  if (added > 0) await client.query('ANALYZE customer, subscription, credential');
  return added;
}

async function missingOf(client: Client, tenantId: number, indexes: readonly number[]): Promise<number[]> {
  const { rows } = await client.query<{ user_name: string }>(
    `SELECT user_name FROM credential WHERE tenant_id = $1 AND realm = '' AND user_name = ANY($2)`,
    [tenantId, indexes.map(userName)],
  );
  const there = new Set(rows.map((row) => row.user_name));
  return indexes.filter((index) => !there.has(userName(index)));
}

async function insert(
  client: Client,
  keyring: Keyring,
  { tenantId, plans }: Demo,
  indexes: readonly number[],
  paidUntil: Date,
): Promise<void> {
  const planOf = (index: number) => {
    const plan = plans[index % plans.length];
    if (!plan) throw new Error('the catalog is empty');
    return plan;
  };
  await client.query('BEGIN');
  try {
    const numbers = await takeAccountNumbers(client, tenantId, indexes.length);
    await client.query(
      `WITH input AS (
         SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::bytea[], $6::bigint[], $7::bigint[])
           WITH ORDINALITY AS given (account_number, name, user_name, password_cipher, service_id, tariff_id, place)),
       made_customer AS (
         INSERT INTO customer (tenant_id, account_number, status, name)
         SELECT $1, account_number, 'active', name FROM input ORDER BY place RETURNING id, account_number),
       made_subscription AS (
         INSERT INTO subscription (tenant_id, customer_id, service_id, tariff_id, status, paid_until)
         SELECT $1, made_customer.id, service_id, tariff_id, 'active', $8
         FROM made_customer JOIN input USING (account_number) ORDER BY place RETURNING id, customer_id)
       INSERT INTO credential (tenant_id, subscription_id, user_name, password_cipher)
       SELECT $1, made_subscription.id, user_name, password_cipher
       FROM made_subscription JOIN made_customer ON made_customer.id = customer_id JOIN input USING (account_number)`,
      [
        tenantId,
        numbers,
        indexes.map(customerName),
        indexes.map(userName),
        indexes.map((index) => keyring.encrypt('credential', `${tenantId}::${userName(index)}`, password)),
        indexes.map((index) => planOf(index).serviceId),
        indexes.map((index) => planOf(index).tariffId),
        paidUntil,
      ],
    );
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}

/** The next `count` free numbers of the tenant's sequence. */
async function takeAccountNumbers(client: Client, tenantId: number, count: number): Promise<string[]> {
  const numbers: string[] = [];
  while (numbers.length < count) {
    const wanted = count - numbers.length;
    const { rows } = await client.query<{ first: string }>(
      `INSERT INTO account_number_counter (tenant_id, next) VALUES ($1, 10000 + $2)
       ON CONFLICT (tenant_id) DO UPDATE SET next = account_number_counter.next + $2 RETURNING next - $2 AS first`,
      [tenantId, wanted],
    );
    const first = Number(rows[0]?.first);
    const drawn = Array.from({ length: wanted }, (_, place) => accountNumber(first + place));
    const taken = await client.query<{ account_number: string }>(
      'SELECT account_number FROM customer WHERE tenant_id = $1 AND account_number = ANY($2)',
      [tenantId, drawn],
    );
    const used = new Set(taken.rows.map((row) => row.account_number));
    numbers.push(...drawn.filter((number) => !used.has(number)));
  }
  return numbers;
}

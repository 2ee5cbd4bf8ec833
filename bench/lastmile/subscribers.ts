// Whose records the load sends: tenant and subscriptions of user0, user1, … in the seeded database.
import { Client } from 'pg';

export type Subscribers = { readonly tenantId: number; readonly subscriptionIds: readonly number[] };

/** @throws when one of the `count` is missing */
export async function subscribersOf(databaseUrl: string, count: number): Promise<Subscribers> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ tenant_id: string; subscription_id: string; place: number }>(
      `SELECT tenant_id, subscription_id, substring(user_name from 5)::int AS place FROM credential
       WHERE user_name ~ '^user[0-9]+$' AND substring(user_name from 5)::int < $1 ORDER BY place`,
      [count],
    );
    if (rows.length !== count) throw new Error(`${rows.length} of ${count} subscribers are in the database`);
    return {
      tenantId: Number(rows[0]?.tenant_id),
      subscriptionIds: rows.map(({ subscription_id }) => Number(subscription_id)),
    };
  } finally {
    await client.end();
  }
}

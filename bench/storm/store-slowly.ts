// Stores the passwords of some of Lastmile's subscribers as slow hashes, and waits until its edge knows.
import { Client } from 'pg';
import { createKeyring } from '#ops/runtime/keyring.ts';
import { until } from '#test/support/wait.ts';
import type { LastmileTarget } from '../lastmile/lastmile.ts';
import { readMetrics } from '../lastmile/metrics.ts';

const atOnce = 1000;

/** @param hashes for crypt(3); subscribers have them in turn. @param from user<from> … user<to − 1> */
export async function storeSlowly(
  target: LastmileTarget,
  hashes: readonly string[],
  from: number,
  to: number,
): Promise<void> {
  const keyring = createKeyring(target.stores.secretKeys);
  const { tenantId } = target.accounts;
  const applied = async () =>
    (await readMetrics(target.stack.aaaAdminUrl)).sum('lastmile_feed_applied_total', 'kind="subscription"');
  const before = await applied();
  const client = new Client({ connectionString: target.stores.databaseUrl });
  await client.connect();
  try {
    for (let first = from; first < to; first += atOnce) {
      const users = Array.from({ length: Math.min(atOnce, to - first) }, (_, place) => first + place);
      const secrets = users.map((user) => hashes[user % hashes.length] ?? '');
      await client.query(
        `UPDATE credential SET password_scheme = 'crypt', password_cipher = given.cipher
         FROM unnest($2::text[], $3::bytea[]) AS given (user_name, cipher)
         WHERE tenant_id = $1 AND realm = '' AND credential.user_name = given.user_name`,
        [
          tenantId,
          users.map((user) => `user${user}`),
          users.map((user, place) =>
            keyring.encrypt('credential', `${tenantId}::user${user}`, Buffer.from(secrets[place] ?? '')),
          ),
        ],
      );
    }
  } finally {
    await client.end();
  }
  await until(
    async () => (await applied()) - before >= to - from,
    () => `the edge knows ${to - from} changed passwords; it printed:\n${target.output()}`,
    120_000,
    100,
  );
}

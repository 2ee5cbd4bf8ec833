// Whether the database has a super admin yet: the first start makes one and tells its password.
import { randomInt } from 'node:crypto';
import { Client } from 'pg';
import { messageOf } from '#ops/runtime/errors.ts';
import { DatabaseAway } from '../stores/migrate.ts';

export async function superAdminExists(databaseUrl: string): Promise<boolean> {
  const client = new Client({ connectionString: databaseUrl, connectionTimeoutMillis: 5000 });
  try {
    await client.connect();
  } catch (error) {
    throw new DatabaseAway(`PostgreSQL does not answer: ${messageOf(error)}`, { cause: error });
  }
  try {
    const { rowCount } = await client.query(`SELECT FROM app_user WHERE role = 'super_admin' LIMIT 1`);
    return rowCount !== 0;
  } finally {
    await client.end();
  }
}

/** Five groups of four from 32 unmistakable characters: 100 bits that can be read aloud. */
export function generatePassword(): string {
  const alphabet = 'abcdefghijkmnpqrstuvwxyz23456789';
  const group = () => Array.from({ length: 4 }, () => alphabet[randomInt(alphabet.length)]).join('');
  return Array.from({ length: 5 }, group).join('-');
}

// The first super admin: whether there is one yet, and the password that is generated for it and told once.
import { randomInt } from 'node:crypto';
import { Client } from 'pg';
import { messageOf } from '#ops/runtime/errors.ts';
import { type DataFolder, readRecord, removeRecord, writeRecord } from '../stores/data-folder.ts';
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

/**
 * The password to make the first super admin with, and to tell. It stays in the data folder until {@link passwordTold}, so that a
 * start that is cut short in between locks nobody out. Undefined when there is nothing to tell.
 */
export function untoldPassword(folder: DataFolder, adminExists: boolean): string | undefined {
  const kept = readRecord<{ password: string }>(folder, 'first-admin')?.password;
  if (kept !== undefined || adminExists) return kept;
  const password = generatePassword();
  writeRecord(folder, 'first-admin', { password });
  return password;
}

export function passwordTold(folder: DataFolder): void {
  removeRecord(folder, 'first-admin');
}

/** Five groups of four from 32 unmistakable characters: 100 bits that can be read aloud. */
function generatePassword(): string {
  const alphabet = 'abcdefghijkmnpqrstuvwxyz23456789';
  const group = () => Array.from({ length: 4 }, () => alphabet[randomInt(alphabet.length)]).join('');
  return Array.from({ length: 5 }, group).join('-');
}

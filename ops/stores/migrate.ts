// Brings the database to the schema of this code: forward-only SQL files, each applied once, in order, in its own transaction.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, escapeIdentifier, escapeLiteral } from 'pg';
import { codeOf, messageOf } from '#ops/runtime/errors.ts';
import type { Keyring } from '#ops/runtime/keyring.ts';
import { loginRoles, rolePassword } from './urls.ts';

export type MigrateOptions = {
  /** The owner's URL. */
  databaseUrl: string;
  keyring: Keyring;
  directory?: string;
  /** How long a migration waits for a table, which then everybody else waits for, and how often it tries. */
  lockTimeoutMs?: number;
  lockTries?: number;
};

export type AppliedMigration = { version: number; name: string; checksum: string };
export type Migration = { version: number; name: string; sql: string; checksum: string };

/** The server could not be reached: worth trying again, unlike a refusal. */
export class DatabaseAway extends Error {
  override name = 'DatabaseAway';
}

const LOCK = 4_915_110_512;
/** SQLSTATE lock_not_available. */
const lockNotAvailable = '55P03';
const betweenTriesMs = 1000;

/** @returns the names of the files applied now. @throws when a file fails, an applied file was changed, or the database is newer. */
export async function migrate(options: MigrateOptions): Promise<string[]> {
  const { databaseUrl, keyring, directory } = options;
  const migrations = readMigrations(directory ?? path.join(import.meta.dirname, 'migrations'));
  const client = new Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: 10_000,
    application_name: 'migrate',
  });
  let broken: unknown;
  client.on('error', (error) => (broken = error));
  try {
    await client.connect();
  } catch (error) {
    // Wrong credentials and such will not mend themselves: class 28 and 3D of SQLSTATE.
    if (/^(28|3D)/.test(codeOf(error))) throw new Error(`PostgreSQL refuses us: ${messageOf(error)}`, { cause: error });
    throw new DatabaseAway(`PostgreSQL does not answer: ${messageOf(error)}`, { cause: error });
  }
  try {
    await client.query('SELECT pg_advisory_lock($1)', [LOCK]);
    const applied = await applyPending(client, migrations, options);
    await setRolePasswords(client, keyring);
    return applied;
  } catch (error) {
    throw broken ? new DatabaseAway(`the connection was lost: ${messageOf(broken)}`, { cause: error }) : error;
  } finally {
    await client.end();
  }
}

export function readMigrations(directory: string): Migration[] {
  const migrations = readdirSync(directory)
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((name) => {
      const version = Number(/^(\d{4})_[a-z0-9_]+\.sql$/.exec(name)?.[1]);
      if (!version) throw new Error(`${name} is not named like 0001_what_it_does.sql`);
      const sql = readFileSync(path.join(directory, name), 'utf8');
      return { version, name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    });
  migrations.forEach(({ version, name }, index) => {
    if (version !== index + 1)
      throw new Error(`${name} should be number ${index + 1}: migrations have no gaps or doubles`);
  });
  return migrations;
}

/** Those not applied yet. @throws when an applied one was changed here, or is not known here at all. */
export function pendingMigrations(applied: readonly AppliedMigration[], known: readonly Migration[]): Migration[] {
  for (const { version, name, checksum } of applied) {
    const ours = known[version - 1];
    if (!ours) {
      throw new Error(
        `the database has migration ${name}, which this code does not know: it is newer; run the newer release`,
      );
    }
    if (ours.checksum !== checksum) {
      throw new Error(
        `${ours.name} was changed after it was applied: restore the file and put the change into a new one`,
      );
    }
  }
  return known.slice(applied.length);
}

async function applyPending(
  client: Client,
  migrations: readonly Migration[],
  { lockTimeoutMs = 5000, lockTries = 10 }: MigrateOptions,
): Promise<string[]> {
  await client.query(
    `CREATE TABLE IF NOT EXISTS schema_migration (
       version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`,
  );
  const { rows } = await client.query<AppliedMigration>(
    'SELECT version, name, checksum FROM schema_migration ORDER BY version',
  );
  const pending = pendingMigrations(rows, migrations);
  for (const migration of pending) {
    for (let tries = 1; !(await apply(client, migration, lockTimeoutMs)); tries++) {
      if (tries >= lockTries) throw new Error(await whoHolds(client, migration, lockTimeoutMs, tries));
      await delay(betweenTriesMs * Math.min(tries, 5));
    }
  }
  return pending.map(({ name }) => name);
}

/** False when something that it changes is in use: it has let go of all, so that whoever waits behind it goes on. */
async function apply(
  client: Client,
  { version, name, sql, checksum }: Migration,
  lockTimeoutMs: number,
): Promise<boolean> {
  try {
    await client.query('BEGIN');
    await client.query(`SET LOCAL lock_timeout = ${Math.round(lockTimeoutMs)}`);
    await client.query(sql);
    await client.query('INSERT INTO schema_migration (version, name, checksum) VALUES ($1, $2, $3)', [
      version,
      name,
      checksum,
    ]);
    await client.query('COMMIT');
    return true;
  } catch (error) {
    if (codeOf(error) !== lockNotAvailable) {
      throw new Error(`migration ${name} failed: ${messageOf(error)}`, { cause: error });
    }
    await client.query('ROLLBACK');
    return false;
  }
}

/** Why a migration got no lock, with the oldest transactions: one of them holds it. */
async function whoHolds(client: Client, { name }: Migration, timeoutMs: number, tries: number): Promise<string> {
  const { rows } = await client.query<{ pid: number; application_name: string; seconds: number }>(
    `SELECT pid, application_name, extract(epoch FROM now() - xact_start)::int AS seconds FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL ORDER BY xact_start LIMIT 3`,
  );
  const oldest = rows.map((row) => `process ${row.pid} (${row.application_name || 'no name'}) for ${row.seconds} s`);
  return (
    `migration ${name} waited ${tries} times ${timeoutMs} ms in vain for what others use; nothing of it is applied. ` +
    `Transactions that are open: ${oldest.join(', ') || 'none any more'}. End them, or try again`
  );
}

/** The passwords follow the key ring, so that no process needs them stored anywhere. */
async function setRolePasswords(client: Client, keyring: Keyring): Promise<void> {
  for (const role of loginRoles) {
    const { rowCount } = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [role]);
    if (rowCount === 0) continue;
    const password = rolePassword(role, keyring);
    await client.query(`ALTER ROLE ${escapeIdentifier(role)} PASSWORD ${escapeLiteral(password)}`);
  }
}

// FreeRADIUS's own PostgreSQL schema with the bench's subscribers, on a server of its own with PostgreSQL's default, durable settings.
import { readFileSync } from 'node:fs';
import { Client } from 'pg';
import { startServer } from '#test/support/postgres.ts';
import type { Bytes } from '../../radius/target.ts';
import { replyAttributes } from './reply-attributes.ts';

export type RadiusDatabase = {
  /** For the configuration `sql.conf`. */
  readonly environment: Readonly<Record<string, string>>;
  total(): Promise<Bytes>;
  stop(): Promise<void>;
};

const schema = '/etc/freeradius/3.0/mods-config/sql/main/postgresql/schema.sql';
const atOnce = 5000;

export async function startRadiusDatabase(folder: string, subscribers: number): Promise<RadiusDatabase> {
  const server = await startServer({}, folder);
  try {
    await withClient(server.url, (client) => fill(client, subscribers));
  } catch (error) {
    await server.remove();
    throw error;
  }
  const url = new URL(server.url);
  return {
    environment: {
      BENCH_SQL_PORT: url.port,
      BENCH_SQL_USER: url.username,
      BENCH_SQL_PASSWORD: decodeURIComponent(url.password),
      BENCH_SQL_DATABASE: url.pathname.slice(1),
    },
    total: () => withClient(server.url, totalOf),
    stop: server.remove,
  };
}

async function totalOf(client: Client): Promise<Bytes> {
  const { rows } = await client.query<{ up: string; down: string }>(
    'SELECT coalesce(sum(acctinputoctets), 0) AS up, coalesce(sum(acctoutputoctets), 0) AS down FROM radacct',
  );
  return { upBytes: Number(rows[0]?.up), downBytes: Number(rows[0]?.down) };
}

async function fill(client: Client, subscribers: number): Promise<void> {
  await client.query(readFileSync(schema, 'utf8'));
  for (let first = 0; first < subscribers; first += atOnce) {
    const users = Array.from({ length: Math.min(atOnce, subscribers - first) }, (_, index) => first + index);
    await client.query(
      `INSERT INTO radcheck (username, attribute, op, value)
       SELECT 'user' || place, 'Cleartext-Password', ':=', 'pass123' FROM unnest($1::int[]) AS place`,
      [users],
    );
    const replies = users.flatMap((user) =>
      [['Message-Authenticator', '0x00'] as const, ...replyAttributes(user)].map(([name, value]) => ({
        user,
        name,
        value,
      })),
    );
    await client.query(
      `INSERT INTO radreply (username, attribute, op, value)
       SELECT 'user' || place, attribute, ':=', value FROM unnest($1::int[], $2::text[], $3::text[]) AS given (place, attribute, value)`,
      [replies.map(({ user }) => user), replies.map(({ name }) => name), replies.map(({ value }) => value)],
    );
  }
  await client.query('ANALYZE');
}

async function withClient<T>(url: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

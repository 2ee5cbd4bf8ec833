// FreeRADIUS's own PostgreSQL schema with the bench's subscribers, on a server of its own with PostgreSQL's default, durable settings.
import { readFileSync } from 'node:fs';
import { Client } from 'pg';
import { catalog } from '#ops/seed/demo.ts';
import { startServer } from '#test/support/postgres.ts';
import type { Bytes } from '../../radius/target.ts';
import { replyAttributes } from './reply-attributes.ts';

export type RadiusDatabase = {
  /** For the configuration `sql.conf`. */
  readonly environment: Readonly<Record<string, string>>;
  readonly url: string;
  total(): Promise<Bytes>;
  stop(): Promise<void>;
};

/** user<from> and those after it, the hashes in turn. */
export type SlowUsers = { readonly from: number; readonly hashes: readonly string[] };

const configured = '/etc/freeradius/3.0/mods-config/sql';
const schema = `${configured}/main/postgresql/schema.sql`;
const poolSchema = `${configured}/ippool/postgresql/schema.sql`;
const poolQueries = `${configured}/ippool/postgresql/queries.conf`;

export async function startRadiusDatabase(
  folder: string,
  subscribers: number,
  slow?: SlowUsers,
): Promise<RadiusDatabase> {
  const server = await startServer({}, folder);
  try {
    await withClient(server.url, async (client) => {
      await fill(client, subscribers);
      if (slow) await storeSlowly(client, slow);
    });
  } catch (error) {
    await server.remove();
    throw error;
  }
  const url = new URL(server.url);
  return {
    url: server.url,
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

/** Inside the server: no row travels. */
async function fill(client: Client, subscribers: number): Promise<void> {
  await client.query(readFileSync(schema, 'utf8'));
  await client.query(
    `INSERT INTO radcheck (username, attribute, op, value)
     SELECT 'user' || place, 'Cleartext-Password', ':=', 'pass123' FROM generate_series(0, $1::int - 1) AS place`,
    [subscribers],
  );
  // Replies repeat after so many users.
  const turns = catalog.length;
  const replies = catalog.flatMap((_, turn) =>
    [['Message-Authenticator', '0x00'] as const, ...replyAttributes(turn)].map(([name, value]) => ({
      turn,
      name,
      value,
    })),
  );
  await client.query(
    `INSERT INTO radreply (username, attribute, op, value)
     SELECT 'user' || place, attribute, ':=', value
     FROM generate_series(0, $1::int - 1) AS place
     JOIN unnest($2::int[], $3::text[], $4::text[]) AS given (turn, attribute, value) ON turn = place % $5::int
     ORDER BY place`,
    [
      subscribers,
      replies.map(({ turn }) => turn),
      replies.map(({ name }) => name),
      replies.map(({ value }) => value),
      turns,
    ],
  );
  await client.query('ANALYZE');
}

/** One session for everybody, and a pool with twice as many addresses as there are subscribers. */
export async function addPool(url: string, subscribers: number): Promise<void> {
  await withClient(url, async (client) => {
    await client.query(readFileSync(poolSchema, 'utf8'));
    await client.query(
      `INSERT INTO radcheck (username, attribute, op, value)
       SELECT username, 'Simultaneous-Use', ':=', '1' FROM radcheck WHERE attribute = 'Cleartext-Password'`,
    );
    await client.query(
      `INSERT INTO radippool (pool_name, framedipaddress, expiry_time)
       SELECT 'bench', '100.64.0.0'::inet + place, now() - interval '1 day' FROM generate_series(1, $1::int) AS place`,
      [2 * subscribers],
    );
    // Its schema has an index by user name only behind the start time: a count per login would read the whole table.
    await client.query('CREATE INDEX ON radacct (username) WHERE acctstoptime IS NULL');
    await client.query('ANALYZE');
  });
}

/** The queries of rlm_sqlippool as its comment recommends for this PostgreSQL. */
export function poolQueriesText(): string {
  const stock = readFileSync(poolQueries, 'utf8');
  const text = stock.replace('skip_locked = ""', 'skip_locked = "SKIP LOCKED"');
  if (text === stock) throw new Error(`${poolQueries} is not as it was: it does not set skip_locked`);
  return text;
}

async function storeSlowly(client: Client, { from, hashes }: SlowUsers): Promise<void> {
  await client.query(
    `UPDATE radcheck SET attribute = 'Crypt-Password', value = ($2::text[])[1 + substring(username from 5)::int % cardinality($2::text[])]
     WHERE substring(username from 5)::int >= $1`,
    [from, hashes],
  );
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

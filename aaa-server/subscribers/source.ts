// PostgreSQL as the source of the snapshot: a full copy, and what changed since a position, each within one database snapshot.
import type { Client } from 'pg';
import { type FeedKind, feedKinds, type SourceRow, views } from './rows.ts';

/**
 * Up to where the source was read. `identity` names the database (system identifier, timeline, database, feed table): positions
 * of another one mean nothing. `snapshot` is the text of the pg_snapshot of the last read, `xmin:xmax:running,…`: what was
 * visible in it has been applied. Its xmin is the watermark, and its list of running transactions remembers, exactly and
 * without growing, what above the watermark was applied already.
 */
export type Position = { readonly identity: string; readonly snapshot: string };

export type SourceState = Position & {
  /** Changes of transactions below this one were pruned. */
  readonly prunedBelow: string;
};

export type FeedKey = { readonly kind: FeedKind; readonly tenantId: number; readonly id: number };

/** Everything `work` reads is one state of the database. After an error the connection must be given up. */
export async function inOneSnapshot<T>(client: Client, work: (state: SourceState) => Promise<T>): Promise<T> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  const result = await work(await readState(client));
  await client.query('COMMIT');
  return result;
}

async function readState(client: Client): Promise<SourceState> {
  const { rows } = await client.query<SourceState>(
    `SELECT pg_current_snapshot()::text AS snapshot, (SELECT pruned_below::text FROM feed_horizon) AS "prunedBelow",
       concat_ws('/', (SELECT system_identifier FROM pg_control_system()), substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8),
         (SELECT oid FROM pg_database WHERE datname = current_database()), 'feed_change'::regclass::oid) AS identity`,
  );
  const [state] = rows;
  if (!state) throw new Error('the source does not tell its position');
  return state;
}

/** Null when the feed can go on from `position`, else the reason why everything must be copied anew. */
export function whyCopy(position: Position | undefined, state: SourceState): string | null {
  if (!position) return 'nothing was copied yet';
  if (position.identity !== state.identity) return 'this is another database, or one restored from a backup';
  const ours = partsOf(position.snapshot);
  if (ours.xmax > partsOf(state.snapshot).xmax) return 'the database went back in time';
  if (ours.xmin < BigInt(state.prunedBelow)) return 'the changes since the last one applied were pruned';
  return null;
}

/** Every row of every view, in pages of at most `pageSize`; tenants, plans and NASes before subscriptions. */
export async function* copyAll(client: Client, pageSize: number): AsyncGenerator<SourceRow[]> {
  await client.query('SET LOCAL cursor_tuple_fraction = 1');
  for (const kind of feedKinds) {
    const { select, toRow } = views[kind];
    await client.query(`DECLARE page NO SCROLL CURSOR FOR ${select}`);
    for (;;) {
      const { rows } = await client.query(`FETCH ${pageSize} FROM page`);
      if (rows.length > 0) yield rows.map((row) => toRow(row as never));
      if (rows.length < pageSize) break;
    }
    await client.query('CLOSE page');
  }
}

/**
 * What transactions that are visible now and were not in `snapshot` changed, each key once; what small transactions changed comes
 * first, so that one subscriber does not wait for a mass change.
 */
export async function changesSince(client: Client, snapshot: string): Promise<FeedKey[]> {
  const { xmax, running } = partsOf(snapshot);
  // Without statistics, as for a minute after a big import, the planner would read the whole table, and again each second.
  await client.query('SET LOCAL enable_seqscan = off');
  const { rows } = await client.query<{ kind: FeedKind; tenant_id: string; key: string }>(
    `SELECT kind, tenant_id, key FROM (
       SELECT kind, tenant_id, key, count(*) OVER (PARTITION BY xid) AS size FROM feed_change
       WHERE xid >= $1::xid8 OR xid = ANY ($2::xid8[])) AS change
     GROUP BY kind, tenant_id, key ORDER BY min(size), kind, tenant_id, key`,
    [String(xmax), running.map(String)],
  );
  await client.query('SET LOCAL enable_seqscan TO DEFAULT');
  return rows.map(({ kind, tenant_id, key }) => ({ kind, tenantId: Number(tenant_id), id: Number(key) }));
}

/** The current rows of these ids; an id without a row is gone. */
export async function readRows(client: Client, kind: FeedKind, ids: readonly number[]): Promise<SourceRow[]> {
  const { select, toRow } = views[kind];
  const { rows } = await client.query(`${select} WHERE id = ANY ($1::bigint[])`, [ids]);
  return rows.map((row) => toRow(row as never));
}

/** xmin: every transaction below it had ended; xmax: none at or above it was visible; running: those in between that were not. */
function partsOf(snapshot: string): { xmin: bigint; xmax: bigint; running: bigint[] } {
  const [xmin = '0', xmax = '0', running = ''] = snapshot.split(':');
  return {
    xmin: BigInt(xmin),
    xmax: BigInt(xmax),
    running: running
      .split(',')
      .filter((xid) => xid !== '')
      .map(BigInt),
  };
}

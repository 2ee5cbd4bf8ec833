// The sessions that the history knows of a partition, as restore.ts brings them back: per incarnation the states that tell all of it.
import { ofSql, sqlInstant, sqlText, sqlWhole, withinSql } from '#ops/history/sql.ts';
import type { ClickHouseClient } from '#ops/stores/clickhouse.ts';
import type { RestoredSession } from '#policy/ledger/restore.ts';

export type SessionsQuery = {
  readonly partition: number;
  /** Tenant → subscriptions of the partition. */
  readonly tenants: ReadonlyMap<number, readonly number[]>;
  /** WAL → last position that counts. */
  readonly upTo: ReadonlyMap<string, number>;
  readonly nowMs: number;
};

const dayMs = 86_400_000;
/** A session that said nothing for so long is over, and a tombstone is kept for so long (policy/ledger/lua/session.lua). */
const silentMs = 30 * dayMs;
const tombstoneMs = 9 * dayMs;
const subscriptionsAtOnce = 500;
const statesAtOnce = 1000;

export async function sessionsInHistory(client: ClickHouseClient, query: SessionsQuery): Promise<RestoredSession[]> {
  const sessions: RestoredSession[] = [];
  for (const [tenantId, ids] of query.tenants) {
    const found: Incarnation[] = [];
    for (let from = 0; from < ids.length; from += subscriptionsAtOnce) {
      const some = ids.slice(from, from + subscriptionsAtOnce);
      found.push(...(await incarnations(client, query, ofSql(tenantId, some))));
    }
    // Of users nobody knew, kept where their session id says.
    const unknown = `${ofSql(tenantId, [0])} AND partition = ${sqlWhole(query.partition)}`;
    found.push(...(await incarnations(client, query, unknown)));
    for (const own of Map.groupBy(found, ({ nasInstance, sessionId }) =>
      JSON.stringify([nasInstance, sessionId]),
    ).values()) {
      const session = sessionOf(query, tenantId, own);
      if (session) sessions.push(session);
    }
  }
  return sessions;
}

type Incarnation = {
  readonly nasId: number;
  readonly nasInstance: string;
  readonly sessionId: string;
  readonly incarnation: number;
  readonly lastMs: number;
  /** Its last record was a Stop. */
  readonly stopped: boolean;
  /** Oldest first. */
  readonly states: readonly string[];
};

function sessionOf(
  { partition, nowMs }: SessionsQuery,
  tenantId: number,
  own: readonly Incarnation[],
): RestoredSession | undefined {
  const newest = own.reduce((a, b) => (b.incarnation > a.incarnation ? b : a));
  const kept = own.filter(({ lastMs, stopped }) => lastMs >= nowMs - (stopped ? tombstoneMs : silentMs));
  if (kept.length === 0) return undefined;
  const { nasId, nasInstance, sessionId } = newest;
  return { partition, tenantId, nasId, nasInstance, sessionId, incarnations: kept.map(({ states }) => states) };
}

/** In the order in which they were applied: totals of an incarnation never go down. */
const rank = '(up_total + down_total, received_at, position)';

type Place = readonly [wal: string, position: string];
type Row = {
  readonly nas_instance: string;
  readonly session_id: string;
  readonly incarnation: number;
  readonly last_ms: string;
  readonly last_kind: string;
  readonly places: readonly Place[];
};
type State = {
  readonly wal: string;
  readonly position: string;
  readonly nas_id: string;
  readonly state: string;
};

/** Its last record holds; the first ones and the last with an address describe what that one may lack. */
async function incarnations(
  client: ClickHouseClient,
  { upTo, nowMs }: SessionsQuery,
  whose: string,
): Promise<Incarnation[]> {
  const since = `event_at >= ${sqlInstant(nowMs - silentMs)}`;
  const condition = `${whose} AND kind != 'flow' AND ${since} AND ${withinSql(upTo)}`;
  const result = await client.query({
    query: `
      SELECT nas_instance, session_id, incarnation, toUnixTimestamp64Milli(max(event_at)) AS last_ms, argMax(kind, rank) AS last_kind,
        [argMin(place, rank), argMinIf(place, rank, kind = 'start'), argMaxIf(place, rank, framed_ip != ''), argMax(place, rank)] AS places
      FROM (SELECT *, (wal, position) AS place, ${rank} AS rank FROM accounting FINAL WHERE ${condition})
      GROUP BY nas_instance, session_id, incarnation`,
    format: 'JSONEachRow',
  });
  const rows = await result.json<Row>();
  const wanted = [...new Set(rows.flatMap(({ places }) => places.map(keyOf)))];
  const states = new Map<string, State>();
  for (let from = 0; from < wanted.length; from += statesAtOnce) {
    for (const state of await statesAt(client, condition, wanted.slice(from, from + statesAtOnce))) {
      states.set(keyOf([state.wal, state.position]), state);
    }
  }
  return rows.flatMap((row) => {
    const told = [...new Set(row.places.map(keyOf))].flatMap((key) => states.get(key) ?? []);
    const last = told.at(-1);
    if (!last) return [];
    return {
      ...{ nasId: Number(last.nas_id), nasInstance: row.nas_instance, sessionId: row.session_id },
      ...{ incarnation: row.incarnation, lastMs: Number(row.last_ms), stopped: row.last_kind === 'stop' },
      states: told.map(({ state }) => state),
    };
  });
}

async function statesAt(client: ClickHouseClient, condition: string, keys: readonly string[]): Promise<State[]> {
  const places = keys
    .map((key) => JSON.parse(key) as Place)
    .map(([wal, position]) => `(${sqlText(wal)}, ${BigInt(position)})`);
  const result = await client.query({
    query: `SELECT wal, position, nas_id, state FROM accounting FINAL WHERE ${condition} AND (wal, position) IN (${places.join(', ')})`,
    format: 'JSONEachRow',
  });
  return result.json<State>();
}

function keyOf([wal, position]: Place): string {
  return JSON.stringify([wal, String(position)]);
}

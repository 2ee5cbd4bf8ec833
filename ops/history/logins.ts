// Reads the auth log: logins newest first, and rejects counted by hour.
import type { ClickHouseClient } from '#ops/stores/clickhouse.ts';

export const loginResults = ['accept', 'reject', 'unanswered'] as const;
export type LoginResult = (typeof loginResults)[number];

/** Where a page ended; the next one goes on with what is older. */
export type LoginPlace = {
  readonly atMs: number;
  readonly node: string;
  readonly worker: number;
  readonly sequence: number;
};

export type LoginsQuery = {
  readonly tenantId: number;
  readonly fromMs: number;
  /** Not in it. */
  readonly toMs: number;
  readonly limit: number;
  readonly subscriptionId?: number;
  readonly userName?: string;
  readonly nasId?: number;
  readonly result?: LoginResult;
  readonly reason?: string;
  /** Logins to devices themselves are left out. */
  readonly withoutStaff?: boolean;
  readonly after?: LoginPlace;
};

export type LoggedLogin = LoginPlace & {
  readonly subscriptionId: number;
  readonly userName: string;
  readonly nasId: number;
  readonly method: string;
  readonly result: LoginResult;
  readonly reason: string;
  readonly callingStationId: string;
  readonly nasPortId: string;
  readonly framedIp: string;
  readonly outcome: string;
  readonly durationUs: number;
  readonly test: boolean;
};

/** `leftOut`: rejects and unanswered logins of the tenant, in the span of the page, that were too many of their second to be written one by one. */
export type LoginPage = { readonly logins: readonly LoggedLogin[]; readonly leftOut: number };

type Row = Record<
  | ('node' | 'user_name' | 'method' | 'reason' | 'calling_station_id' | 'nas_port_id' | 'framed_ip' | 'outcome')
  | ('at_ms' | 'sequence' | 'subscription_id' | 'nas_id'),
  string
> & { readonly worker: number; readonly duration_us: number; readonly result: LoginResult; readonly test: boolean };

const inSpan =
  'tenant_id = {tenant:UInt64} AND at >= fromUnixTimestamp64Milli({from:Int64}) AND at < fromUnixTimestamp64Milli({to:Int64})';

/** As the edge marks them (aaa-server/login-log/log.ts). */
const notOfStaff = "NOT (reason = 'device_login_refused' OR startsWith(outcome, 'device'))";

export async function readLogins(client: ClickHouseClient, query: LoginsQuery): Promise<LoginPage> {
  const { subscriptionId, userName, nasId, result, reason, after } = query;
  const conditions = [
    inSpan,
    "result != 'left_out'",
    ...(subscriptionId === undefined ? [] : ['subscription_id = {subscription:UInt64}']),
    ...(userName === undefined ? [] : ['user_name = {user:String}']),
    ...(nasId === undefined ? [] : ['nas_id = {nas:UInt64}']),
    ...(result === undefined ? [] : ['result = {result:String}']),
    ...(reason === undefined ? [] : ['reason = {reason:String}']),
    ...(query.withoutStaff ? [notOfStaff] : []),
    ...(after
      ? [
          // The first alone lets whole parts be left out.
          'at <= fromUnixTimestamp64Milli({at:Int64})',
          '(at, node, worker, sequence) < (fromUnixTimestamp64Milli({at:Int64}), {node:String}, {worker:UInt8}, {sequence:UInt64})',
        ]
      : []),
  ];
  const params = {
    ...{ tenant: query.tenantId, from: query.fromMs, to: query.toMs, limit: query.limit },
    ...{ subscription: subscriptionId, user: userName, nas: nasId, result, reason },
    ...(after ? { at: after.atMs, node: after.node, worker: after.worker, sequence: after.sequence } : {}),
  };
  const found = await client.query({
    query: `SELECT toString(toUnixTimestamp64Milli(at)) AS at_ms, node, worker, sequence, subscription_id, user_name, nas_id, method, result,
        reason, calling_station_id, nas_port_id, framed_ip, outcome, duration_us, test
      FROM logins WHERE ${conditions.join(' AND ')}
      ORDER BY at DESC, node DESC, worker DESC, sequence DESC LIMIT {limit:UInt32}`,
    query_params: present(params),
    format: 'JSONEachRow',
  });
  const logins = (await found.json<Row>()).map(loginOf);
  const last = logins.length < query.limit ? undefined : logins.at(-1);
  const span = { ...query, fromMs: last?.atMs ?? query.fromMs, toMs: after ? after.atMs + 1 : query.toMs };
  return { logins, leftOut: await readLeftOut(client, span) };
}

export const rejectKeys = ['reason', 'nas', 'username'] as const;
export type RejectKey = (typeof rejectKeys)[number];

export type RejectsQuery = {
  readonly tenantId: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly by: RejectKey;
  /** Of those with the most rejects. */
  readonly keys: number;
  /** Rejected logins to devices themselves are left out. */
  readonly withoutStaff?: boolean;
};

export type RejectCounts = {
  /** Rejects that were written one by one, oldest hour first. */
  readonly hours: readonly { readonly hourMs: number; readonly key: string; readonly count: number }[];
  /** The user names with the most rejects of the span. */
  readonly top: readonly {
    readonly userName: string;
    readonly subscriptionId: number;
    readonly count: number;
    /** What most of them were for. */
    readonly reason: string;
    readonly lastMs: number;
  }[];
  readonly leftOut: number;
};

const columnOf: Readonly<Record<RejectKey, string>> = {
  reason: 'reason',
  nas: 'toString(nas_id)',
  username: 'user_name',
};

/** What operators tried does not count. */
export async function readRejects(client: ClickHouseClient, query: RejectsQuery): Promise<RejectCounts> {
  const { tenantId, fromMs, toMs, by, keys, withoutStaff } = query;
  const query_params = { tenant: tenantId, from: fromMs, to: toMs, keys };
  const of = `FROM logins WHERE ${inSpan} AND result = 'reject' AND NOT test${withoutStaff ? ` AND ${notOfStaff}` : ''}`;
  const hours = await client.query({
    query: `SELECT toString(toUnixTimestamp(toStartOfHour(at))) AS hour, ${columnOf[by]} AS key, count() AS n ${of}
        AND ${columnOf[by]} IN (SELECT ${columnOf[by]} AS k ${of} GROUP BY k ORDER BY count() DESC, k LIMIT {keys:UInt32})
      GROUP BY hour, key ORDER BY toUInt64(hour), n DESC, key`,
    query_params,
    format: 'JSONEachRow',
  });
  const top = await client.query({
    query: `SELECT user_name, any(subscription_id) AS subscription, count() AS n, topK(1)(reason)[1] AS mostly,
        toString(toUnixTimestamp64Milli(max(at))) AS last ${of}
      GROUP BY user_name ORDER BY n DESC, user_name LIMIT {keys:UInt32}`,
    query_params,
    format: 'JSONEachRow',
  });
  const hourRows = await hours.json<{ hour: string; key: string; n: string }>();
  const topRows = await top.json<Record<'user_name' | 'subscription' | 'n' | 'mostly' | 'last', string>>();
  return {
    hours: hourRows.map(({ hour, key, n }) => ({ hourMs: Number(hour) * 1000, key, count: Number(n) })),
    top: topRows.map((row) => ({
      userName: row.user_name,
      subscriptionId: Number(row.subscription),
      count: Number(row.n),
      reason: row.mostly,
      lastMs: Number(row.last),
    })),
    leftOut: await readLeftOut(client, query),
  };
}

async function readLeftOut(
  client: ClickHouseClient,
  { tenantId, fromMs, toMs }: Pick<LoginsQuery, 'tenantId' | 'fromMs' | 'toMs'>,
): Promise<number> {
  const found = await client.query({
    query: `SELECT sum(count) AS n FROM logins WHERE ${inSpan} AND result = 'left_out'`,
    query_params: { tenant: tenantId, from: fromMs, to: toMs },
    format: 'JSONEachRow',
  });
  const [row] = await found.json<{ n: string }>();
  return Number(row?.n ?? 0);
}

function loginOf(row: Row): LoggedLogin {
  const { node, worker, method, result, reason, outcome, test } = row;
  return {
    ...{ node, worker, method, result, reason, outcome, test },
    atMs: Number(row.at_ms),
    sequence: Number(row.sequence),
    subscriptionId: Number(row.subscription_id),
    userName: row.user_name,
    nasId: Number(row.nas_id),
    callingStationId: row.calling_station_id,
    nasPortId: row.nas_port_id,
    framedIp: row.framed_ip,
    durationUs: row.duration_us,
  };
}

function present(params: Readonly<Record<string, string | number | undefined>>): Record<string, string | number> {
  return Object.fromEntries(
    Object.entries(params).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

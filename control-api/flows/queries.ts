// Reads which subscriptions move the most bytes, from the sums by minute of the flows.
import { inArray, sql } from 'drizzle-orm';
import type { Static } from 'typebox';
import type { Conn, TenantScope } from '../database/connect.ts';
import { read } from '../database/read.ts';
import type { Deps } from '../deps.ts';
import { credential } from '../subscriptions/schema.ts';
import type { TopTalkersQuery, TopTalkersReply } from './contract.ts';

const minuteMs = 60_000;

export async function topTalkers(
  { db, history, clock }: Pick<Deps, 'db' | 'history' | 'clock'>,
  scope: TenantScope,
  { minutes = 60, limit = 10 }: Static<typeof TopTalkersQuery>,
): Promise<Static<typeof TopTalkersReply>> {
  const sinceMs = Math.floor(clock.nowMs() / minuteMs - minutes) * minuteMs;
  const talkers = await history.topTalkers({ tenantId: scope.tenantId, sinceMs, limit });
  const ids = talkers.map(({ subscriptionId }) => subscriptionId);
  const names = await read(db, scope, (conn) => userNamesOf(conn, ids));
  const data = talkers.map(({ subscriptionId, upBytes, downBytes }) => ({
    subscription_id: subscriptionId,
    user_name: names.get(subscriptionId) ?? null,
    up_bytes: upBytes,
    down_bytes: downBytes,
    total_bytes: upBytes + downBytes,
  }));
  return { data };
}

/** The first user name of each subscription that has one. */
async function userNamesOf(conn: Conn, subscriptionIds: readonly number[]): Promise<ReadonlyMap<number, string>> {
  if (subscriptionIds.length === 0) return new Map();
  const rows = await conn
    .select({ subscriptionId: credential.subscriptionId, userName: sql<string>`min(${credential.userName})` })
    .from(credential)
    .where(inArray(credential.subscriptionId, [...subscriptionIds]))
    .groupBy(credential.subscriptionId);
  return new Map(rows.map(({ subscriptionId, userName }) => [subscriptionId, userName]));
}

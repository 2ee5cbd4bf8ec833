// Reads speed policies.
import { eq, inArray, sql } from 'drizzle-orm';
import { mbpsOfBps } from '#policy/mbps.ts';
import type { Conn } from '../database/connect.ts';
import { inOrder, pageOf } from '../database/list.ts';
import type { ListQuery, Pagination } from '../database/list-contract.ts';
import { Problem } from '../problem.ts';
import { type SpeedPolicyReply, speedPolicyList } from './contract.ts';
import { speedPolicy } from './schema.ts';

export type SpeedPolicyRow = typeof speedPolicy.$inferSelect;

export async function listSpeedPolicies(
  conn: Conn,
  query: ListQuery,
): Promise<{ data: SpeedPolicyReply[]; pagination: Pagination }> {
  const words = query.search;
  const search = words === undefined ? undefined : searchOf(words);
  const { ids, pagination } = await pageOf(conn, speedPolicyList, query, search);
  const rows = ids.length === 0 ? [] : await conn.select().from(speedPolicy).where(inArray(speedPolicy.id, ids));
  return { data: inOrder(ids, rows).map(showSpeedPolicy), pagination };
}

export async function speedPolicyOf(conn: Pick<Conn, 'select'>, id: number): Promise<SpeedPolicyRow> {
  const [found] = await conn.select().from(speedPolicy).where(eq(speedPolicy.id, id));
  if (!found) throw unknownPolicy(id);
  return found;
}

export function unknownPolicy(id: number): Problem {
  return new Problem('speed_policy_unknown', `there is no speed policy ${id}`);
}

export function showSpeedPolicy(row: SpeedPolicyRow): SpeedPolicyReply {
  return {
    id: row.id,
    vendor: row.vendor,
    nas_id: row.nasId,
    bandwidth_down: mbpsOfBps(row.downBps),
    bandwidth_up: mbpsOfBps(row.upBps),
    name: row.name,
    up_name: row.upName,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

function searchOf(words: string) {
  return {
    matches: sql`position(lower(${words}::text) in lower(${speedPolicy.name})) > 0`,
    exact: sql`${speedPolicy.name} = ${words}::text`,
  };
}

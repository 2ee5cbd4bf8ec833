// Reads device users with the access servers they may log in to.
import { asc, eq, inArray, sql } from 'drizzle-orm';
import { methodsServed } from '#policy/credentials/password-scheme.ts';
import type { Conn } from '../database/connect.ts';
import { inOrder, pageOf } from '../database/list.ts';
import type { ListQuery, Pagination } from '../database/list-contract.ts';
import { Problem } from '../problem.ts';
import { type DeviceUserReply, deviceUserList } from './contract.ts';
import { deviceUser, deviceUserNas } from './schema.ts';

type Row = typeof deviceUser.$inferSelect;

export async function listDeviceUsers(
  conn: Conn,
  query: ListQuery,
): Promise<{ data: DeviceUserReply[]; pagination: Pagination }> {
  const words = query.search;
  const search =
    words === undefined
      ? undefined
      : {
          matches: sql`(position(lower(${words}::text) in lower(${deviceUser.userName})) > 0 OR position(lower(${words}::text) in lower(${deviceUser.note})) > 0)`,
          exact: sql`${deviceUser.userName} = ${words}::text`,
        };
  const { ids, pagination } = await pageOf(conn, deviceUserList, query, search);
  const rows = ids.length === 0 ? [] : await conn.select().from(deviceUser).where(inArray(deviceUser.id, ids));
  const places = await placesOf(conn, ids);
  return { data: inOrder(ids, rows).map((row) => show(row, places.get(row.id))), pagination };
}

export async function showDeviceUser(conn: Pick<Conn, 'select'>, id: number): Promise<DeviceUserReply> {
  const [row] = await conn.select().from(deviceUser).where(eq(deviceUser.id, id));
  if (!row) throw unknownDeviceUser(id);
  return show(row, (await placesOf(conn, [id])).get(id));
}

export function unknownDeviceUser(id: number): Problem {
  return new Problem('device_user_unknown', `there is no device user ${id}`);
}

async function placesOf(conn: Pick<Conn, 'select'>, ids: readonly number[]): Promise<Map<number, number[]>> {
  if (ids.length === 0) return new Map();
  const rows = await conn
    .select()
    .from(deviceUserNas)
    .where(inArray(deviceUserNas.deviceUserId, [...ids]))
    .orderBy(asc(deviceUserNas.nasId));
  const places = new Map<number, number[]>();
  for (const { deviceUserId, nasId } of rows) {
    if (!places.get(deviceUserId)?.push(nasId)) places.set(deviceUserId, [nasId]);
  }
  return places;
}

function show(row: Row, nasIds: number[] = []): DeviceUserReply {
  return {
    id: row.id,
    user_name: row.userName,
    access: row.access,
    enabled: row.enabled,
    valid_until: row.validUntil?.toISOString() ?? null,
    nas_ids: row.everywhere ? null : nasIds,
    note: row.note,
    serves: [...methodsServed(row.passwordScheme)].filter((method) => !method.startsWith('eap_')),
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

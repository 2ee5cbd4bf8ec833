// Makes, changes, shows and removes realms with their pools of home servers.
import { asc, eq, inArray, sql } from 'drizzle-orm';
import type { AllowedAttribute } from '#policy/proxy/settings.ts';
import type { Conn, Tx } from '../database/connect.ts';
import type { ListQuery, Pagination } from '../database/list-contract.ts';
import { invalid, Problem } from '../problem.ts';
import { type RealmBody, type RealmChange, type RealmReply, realmList } from './contract.ts';
import { pageByName } from './page.ts';
import { homeServer, realm, realmHomeServer } from './schema.ts';
import { type Confirmation, lockRules, requireConfirmed, rulesOf, subscribersOf } from './takeover.ts';

type Row = typeof realm.$inferSelect;
/** With the attributes that the dictionary made of their names. */
export type Resolved<Body extends { reply_attributes?: string[] | null }> = Omit<Body, 'reply_attributes'> & {
  reply_attributes?: readonly AllowedAttribute[] | null;
};

export async function listRealms(
  conn: Conn,
  query: ListQuery,
): Promise<{ data: RealmReply[]; pagination: Pagination }> {
  const { rows, pagination } = await pageByName(conn, realm, realmList, query);
  const servers = await serversOf(
    conn,
    rows.map(({ id }) => id),
  );
  return { data: rows.map((row) => showRealm(row, servers.get(row.id))), pagination };
}

export async function realmOf(conn: Pick<Conn, 'select' | 'execute'>, id: number): Promise<RealmReply> {
  const row = await realmRow(conn, id);
  const shown = showRealm(row, (await serversOf(conn, [id])).get(id));
  return { ...shown, subscribers: await subscribersOf(conn, await rulesOf(conn), row.name) };
}

export async function realmRow(conn: Pick<Conn, 'select'>, id: number): Promise<Row> {
  const [row] = await conn.select().from(realm).where(eq(realm.id, id));
  if (!row) throw new Problem('realm_unknown', `there is no realm ${id}`);
  return row;
}

export async function createRealm(
  tx: Tx,
  { confirm_count: count, ...body }: Resolved<RealmBody>,
  dryRun: boolean,
): Promise<RealmReply> {
  const before = await lockRules(tx);
  const name = nameOf(body.name);
  requireCounted(body);
  const [made] = await tx
    .insert(realm)
    .values({ tenantId: tx.scope.tenantId, name, ...columnsOf(body) })
    .returning();
  if (!made) throw new Error('the realm was not inserted');
  await setServers(tx, made.id, body.home_server_ids ?? []);
  await requireConfirmed(tx, before, { count, dryRun });
  return settled(tx, made.id, body, count);
}

export async function changeRealm(
  tx: Tx,
  id: number,
  { confirm_count: count, ...change }: Resolved<RealmChange>,
  dryRun: boolean,
): Promise<RealmReply> {
  if (Object.keys(change).length === 0) throw invalid('', 'names nothing to change');
  const before = await lockRules(tx);
  requireCounted({ ...(await realmRow(tx, id)), ...change });
  const [changed] = await tx
    .update(realm)
    .set({
      ...(change.name === undefined ? {} : { name: nameOf(change.name) }),
      ...columnsOf(change),
      updatedAt: sql`now()`,
    })
    .where(eq(realm.id, id))
    .returning({ id: realm.id });
  if (!changed) throw new Problem('realm_unknown', `there is no realm ${id}`);
  if (change.home_server_ids !== undefined) await setServers(tx, id, change.home_server_ids);
  await requireConfirmed(tx, before, { count, dryRun });
  return settled(tx, id, change, count);
}

/** A realm that is kept here may be one that DEFAULT takes over then. */
export async function removeRealm(tx: Tx, id: number, confirmation: Confirmation): Promise<void> {
  const before = await lockRules(tx);
  const [removed] = await tx.delete(realm).where(eq(realm.id, id)).returning({ name: realm.name });
  if (!removed) throw new Problem('realm_unknown', `there is no realm ${id}`);
  // It answers nothing, so a try tells the number by its refusal.
  await requireConfirmed(tx, before, { ...confirmation, dryRun: false });
  const { count } = confirmation;
  tx.audit('realm', id, { ...removed, ...(count === undefined ? {} : { confirm_count: count }) });
}

/** Who is let in here is counted here. */
function requireCounted({ authentication, accounting }: Pick<RealmChange, 'authentication' | 'accounting'>): void {
  if (authentication === 'local' && accounting === 'forward')
    throw new Problem('realm_not_counted', 'with authentication local, accounting is local or both');
}

/** What is forwarded has somewhere to go. */
async function settled(
  tx: Tx,
  id: number,
  body: Resolved<RealmChange>,
  confirmed: number | undefined,
): Promise<RealmReply> {
  const shown = await realmOf(tx, id);
  const forwards = shown.authentication === 'forward' || shown.accounting !== 'local';
  if (forwards && shown.home_server_ids.length === 0)
    throw new Problem('realm_without_home_server', `realm ${shown.name} is forwarded: name its home servers`);
  const { reply_attributes, ...rest } = body;
  tx.audit('realm', id, {
    ...rest,
    ...(reply_attributes === undefined ? {} : { reply_attributes: reply_attributes?.map(({ name }) => name) ?? null }),
    ...(confirmed === undefined ? {} : { confirm_count: confirmed }),
  });
  return shown;
}

async function setServers(tx: Tx, realmId: number, ids: readonly number[]): Promise<void> {
  await tx.delete(realmHomeServer).where(eq(realmHomeServer.realmId, realmId));
  if (ids.length === 0) return;
  const known = await tx
    .select({ id: homeServer.id })
    .from(homeServer)
    .where(inArray(homeServer.id, [...ids]));
  const missing = ids.find((id) => !known.some((one) => one.id === id));
  if (missing !== undefined) throw new Problem('reference_unknown', `there is no home server ${missing}`);
  const { tenantId } = tx.scope;
  await tx
    .insert(realmHomeServer)
    .values(ids.map((homeServerId, position) => ({ tenantId, realmId, homeServerId, position })));
}

async function serversOf(conn: Pick<Conn, 'select'>, realmIds: readonly number[]): Promise<Map<number, number[]>> {
  const found = new Map<number, number[]>();
  if (realmIds.length === 0) return found;
  const rows = await conn
    .select()
    .from(realmHomeServer)
    .where(inArray(realmHomeServer.realmId, [...realmIds]))
    .orderBy(asc(realmHomeServer.realmId), asc(realmHomeServer.position));
  for (const { realmId, homeServerId } of rows) found.set(realmId, [...(found.get(realmId) ?? []), homeServerId]);
  return found;
}

function showRealm(row: Row, homeServerIds: number[] = []): RealmReply {
  return {
    id: row.id,
    name: row.name,
    strip_user_name: row.stripUserName,
    authentication: row.authentication,
    accounting: row.accounting,
    choice: row.choice,
    unreachable: row.unreachable,
    reply_attributes: row.replyAttributes?.map(({ name }) => name) ?? null,
    home_server_ids: homeServerIds,
    status: row.status,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

function nameOf(text: string): string {
  const name = text.toLowerCase();
  if (Buffer.byteLength(name) > 253) throw invalid('/name', 'is longer than 253 octets');
  return name;
}

function columnsOf(body: Resolved<RealmChange>) {
  return {
    ...(body.strip_user_name === undefined ? {} : { stripUserName: body.strip_user_name }),
    ...(body.authentication === undefined ? {} : { authentication: body.authentication }),
    ...(body.accounting === undefined ? {} : { accounting: body.accounting }),
    ...(body.choice === undefined ? {} : { choice: body.choice }),
    ...(body.unreachable === undefined ? {} : { unreachable: body.unreachable }),
    ...(body.reply_attributes === undefined ? {} : { replyAttributes: body.reply_attributes }),
    ...(body.status === undefined ? {} : { status: body.status }),
  };
}

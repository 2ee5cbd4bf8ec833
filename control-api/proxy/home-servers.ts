// Makes, changes, shows and removes home servers. A secret is encrypted for its tenant and address, so it moves with neither.
import { isIP } from 'node:net';
import { eq, sql } from 'drizzle-orm';
import type { Keyring } from '#ops/runtime/keyring.ts';
import { isOwnListener, type OwnListeners } from '#ops/runtime/own-listeners.ts';
import { homeServerPlace } from '#policy/proxy/settings.ts';
import type { Conn, Tx } from '../database/connect.ts';
import type { ListQuery, Pagination } from '../database/list-contract.ts';
import { invalid, Problem } from '../problem.ts';
import { type HomeServerBody, type HomeServerChange, type HomeServerReply, homeServerList } from './contract.ts';
import { pageByName } from './page.ts';
import { homeServer } from './schema.ts';

export type HomeServerDeps = { readonly keyring: Keyring; readonly radius: OwnListeners };
type Row = typeof homeServer.$inferSelect;

export async function listHomeServers(
  conn: Conn,
  query: ListQuery,
): Promise<{ data: HomeServerReply[]; pagination: Pagination }> {
  const { rows, pagination } = await pageByName(conn, homeServer, homeServerList, query);
  return { data: rows.map(showHomeServer), pagination };
}

export async function homeServerOf(conn: Pick<Conn, 'select'>, id: number): Promise<Row> {
  const [found] = await conn.select().from(homeServer).where(eq(homeServer.id, id));
  if (!found) throw new Problem('home_server_unknown', `there is no home server ${id}`);
  return found;
}

export async function createHomeServer(
  tx: Tx,
  { keyring, radius }: HomeServerDeps,
  body: HomeServerBody,
): Promise<HomeServerReply> {
  const address = await foreignAddress(tx, body.address);
  const { tenantId } = tx.scope;
  const secretCipher = keyring.encrypt('nas', homeServerPlace(tenantId, address), Buffer.from(body.secret));
  const [made] = await tx
    .insert(homeServer)
    .values({ tenantId, name: body.name, address, secretCipher, ...columnsOf(body) })
    .returning();
  if (!made) throw new Error('the home server was not inserted');
  refuseOwn(made, radius);
  tx.audit('home_server', made.id, { name: made.name, address });
  return showHomeServer(made);
}

export async function changeHomeServer(
  tx: Tx,
  { keyring, radius }: HomeServerDeps,
  id: number,
  change: HomeServerChange,
): Promise<HomeServerReply> {
  if (Object.keys(change).length === 0) throw invalid('', 'names nothing to change');
  const before = await lockHomeServer(tx, id);
  const { tenantId } = tx.scope;
  const address = change.address === undefined ? before.address : await foreignAddress(tx, change.address);
  const secret =
    change.secret === undefined
      ? keyring.decrypt('nas', homeServerPlace(tenantId, before.address), before.secretCipher)
      : Buffer.from(change.secret);
  const [changed] = await tx
    .update(homeServer)
    .set({
      ...(change.name === undefined ? {} : { name: change.name }),
      address,
      secretCipher: keyring.encrypt('nas', homeServerPlace(tenantId, address), secret),
      ...columnsOf(change),
      updatedAt: sql`now()`,
    })
    .where(eq(homeServer.id, id))
    .returning();
  if (!changed) throw new Problem('home_server_unknown', `there is no home server ${id}`);
  refuseOwn(changed, radius);
  const { secret: _, ...open } = change;
  tx.audit('home_server', id, { ...open, secret_changed: change.secret !== undefined });
  return showHomeServer(changed);
}

export async function removeHomeServer(tx: Tx, id: number): Promise<void> {
  // Locked, it gets no further users until it is gone.
  await lockHomeServer(tx, id);
  const users = await tx.execute<{ what: string; name: string }>(
    sql`SELECT 'realm' AS what, r.name FROM realm r JOIN realm_home_server m ON m.tenant_id = r.tenant_id AND m.realm_id = r.id
          WHERE m.home_server_id = ${id}::bigint
        UNION ALL SELECT 'accounting copy', name FROM accounting_copy WHERE home_server_id = ${id}::bigint LIMIT 1`,
  );
  const [user] = users.rows;
  if (user) throw new Problem('home_server_in_use', `${user.what} ${user.name} names it`);
  const [removed] = await tx
    .delete(homeServer)
    .where(eq(homeServer.id, id))
    .returning({ name: homeServer.name, address: homeServer.address });
  if (!removed) throw new Problem('home_server_unknown', `there is no home server ${id}`);
  tx.audit('home_server', id, removed);
}

async function lockHomeServer(tx: Tx, id: number): Promise<Row> {
  await tx.select({ id: homeServer.id }).from(homeServer).where(eq(homeServer.id, id)).for('update');
  return homeServerOf(tx, id);
}

export function showHomeServer(row: Row): HomeServerReply {
  return {
    id: row.id,
    name: row.name,
    address: row.address,
    auth_port: row.authPort,
    acct_port: row.acctPort,
    response_window_ms: row.responseWindowMs,
    attempts: row.attempts,
    health_check: row.healthCheck,
    message_authenticator: row.messageAuthenticator,
    max_outstanding: row.maxOutstanding,
    status: row.status,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

/** What a request sent there would only come back from. Where another machine has the edge, that refuses it itself. */
function refuseOwn({ address, authPort, acctPort }: Row, radius: OwnListeners): void {
  for (const port of [authPort, acctPort])
    if (isOwnListener(radius, address, port))
      throw new Problem('home_server_is_ours', `${address} port ${port} is served by this system itself`);
}

/** In the spelling of PostgreSQL; an address of one host. */
async function foreignAddress(tx: Pick<Tx, 'execute'>, text: string): Promise<string> {
  if (isIP(text) === 0 || text.includes('%')) throw invalid('/address', 'must be an IP address');
  const { rows } = await tx.execute<{ address: string; reachable: boolean }>(
    sql`SELECT host(x) AS address, NOT (x <<= '0.0.0.0/8' OR x <<= '224.0.0.0/3' OR x = '::' OR x <<= 'ff00::/8' OR x <<= 'fe80::/10') AS reachable
        FROM (SELECT ${text.replace(/^::ffff:(?=\d+\.)/i, '')}::text::inet AS x) AS given`,
  );
  const [row] = rows;
  if (!row?.reachable) throw invalid('/address', 'must be the address of one host');
  return row.address;
}

function columnsOf(body: Omit<HomeServerChange, 'name' | 'address' | 'secret'>) {
  return {
    ...(body.auth_port === undefined ? {} : { authPort: body.auth_port }),
    ...(body.acct_port === undefined ? {} : { acctPort: body.acct_port }),
    ...(body.response_window_ms === undefined ? {} : { responseWindowMs: body.response_window_ms }),
    ...(body.attempts === undefined ? {} : { attempts: body.attempts }),
    ...(body.health_check === undefined ? {} : { healthCheck: body.health_check }),
    ...(body.message_authenticator === undefined ? {} : { messageAuthenticator: body.message_authenticator }),
    ...(body.max_outstanding === undefined ? {} : { maxOutstanding: body.max_outstanding }),
    ...(body.status === undefined ? {} : { status: body.status }),
  };
}

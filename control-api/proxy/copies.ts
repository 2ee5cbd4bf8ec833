// Makes, changes, shows and removes copies of the accounting to a second server.
import { eq, sql } from 'drizzle-orm';
import type { Conn, Tx } from '../database/connect.ts';
import type { ListQuery, Pagination } from '../database/list-contract.ts';
import { invalid, Problem } from '../problem.ts';
import { type CopyBody, type CopyChange, type CopyReply, copyList } from './contract.ts';
import { pageByName } from './page.ts';
import { accountingCopy } from './schema.ts';

type Row = typeof accountingCopy.$inferSelect;

export async function listCopies(conn: Conn, query: ListQuery): Promise<{ data: CopyReply[]; pagination: Pagination }> {
  const { rows, pagination } = await pageByName(conn, accountingCopy, copyList, query);
  return { data: rows.map(showCopy), pagination };
}

export async function copyOf(conn: Pick<Conn, 'select'>, id: number): Promise<CopyReply> {
  const [row] = await conn.select().from(accountingCopy).where(eq(accountingCopy.id, id));
  if (!row) throw unknownCopy(id);
  return showCopy(row);
}

export async function createCopy(tx: Tx, body: CopyBody): Promise<CopyReply> {
  const { name, home_server_id: homeServerId } = body;
  const [made] = await tx
    .insert(accountingCopy)
    .values({ tenantId: tx.scope.tenantId, name, homeServerId, ...columnsOf(body) })
    .returning();
  if (!made) throw new Error('the accounting copy was not inserted');
  tx.audit('accounting_copy', made.id, body);
  return showCopy(made);
}

export async function changeCopy(tx: Tx, id: number, change: CopyChange): Promise<CopyReply> {
  if (Object.keys(change).length === 0) throw invalid('', 'names nothing to change');
  const [changed] = await tx
    .update(accountingCopy)
    .set({
      ...(change.name === undefined ? {} : { name: change.name }),
      ...(change.home_server_id === undefined ? {} : { homeServerId: change.home_server_id }),
      ...columnsOf(change),
      updatedAt: sql`now()`,
    })
    .where(eq(accountingCopy.id, id))
    .returning();
  if (!changed) throw unknownCopy(id);
  tx.audit('accounting_copy', id, change);
  return showCopy(changed);
}

export async function removeCopy(tx: Tx, id: number): Promise<void> {
  const [removed] = await tx
    .delete(accountingCopy)
    .where(eq(accountingCopy.id, id))
    .returning({ name: accountingCopy.name });
  if (!removed) throw unknownCopy(id);
  tx.audit('accounting_copy', id, removed);
}

function unknownCopy(id: number): Problem {
  return new Problem('accounting_copy_unknown', `there is no accounting copy ${id}`);
}

function showCopy(row: Row): CopyReply {
  return {
    id: row.id,
    name: row.name,
    home_server_id: row.homeServerId,
    nas_id: row.nasId,
    status: row.status,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

function columnsOf(body: Pick<CopyChange, 'nas_id' | 'status'>) {
  return {
    ...(body.nas_id === undefined ? {} : { nasId: body.nas_id }),
    ...(body.status === undefined ? {} : { status: body.status }),
  };
}

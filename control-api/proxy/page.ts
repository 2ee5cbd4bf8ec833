// One page of a list whose rows are searched by their name alone.
import { inArray, sql } from 'drizzle-orm';
import type { AnyPgColumn, PgTable } from 'drizzle-orm/pg-core';
import type { Conn } from '../database/connect.ts';
import { inOrder, pageOf } from '../database/list.ts';
import type { ListDefinition, ListQuery, Pagination } from '../database/list-contract.ts';

export async function pageByName<T extends PgTable & { id: AnyPgColumn; name: AnyPgColumn }>(
  conn: Conn,
  table: T,
  list: ListDefinition,
  query: ListQuery,
): Promise<{ rows: (T['$inferSelect'] & { id: number })[]; pagination: Pagination }> {
  const words = query.search;
  const search =
    words === undefined
      ? undefined
      : {
          matches: sql`position(lower(${words}::text) in lower(${table.name})) > 0`,
          exact: sql`${table.name} = ${words}::text`,
        };
  const { ids, pagination } = await pageOf(conn, list, query, search);
  const rows =
    ids.length === 0
      ? []
      : await conn
          .select()
          .from(table as PgTable)
          .where(inArray(table.id, ids));
  return { rows: inOrder(ids, rows as (T['$inferSelect'] & { id: number })[]), pagination };
}

// Reads customers.
import { eq, inArray, sql } from 'drizzle-orm';
import type { Conn } from '../database/connect.ts';
import { inOrder, pageOf, type Search } from '../database/list.ts';
import type { ListQuery, Pagination } from '../database/list-contract.ts';
import { Problem } from '../problem.ts';
import { credential, subscription } from '../subscriptions/schema.ts';
import { type CustomerReply, customerList, mostFound } from './contract.ts';
import { customer } from './schema.ts';

export type Customer = typeof customer.$inferSelect;

export async function listCustomers(
  conn: Conn,
  query: ListQuery,
): Promise<{ data: CustomerReply[]; pagination: Pagination }> {
  const search = query.search === undefined ? undefined : searchOf(query.search);
  const { ids, pagination } = await pageOf(conn, customerList, query, search);
  const rows = ids.length === 0 ? [] : await conn.select().from(customer).where(inArray(customer.id, ids));
  return { data: inOrder(ids, rows).map(showCustomer), pagination };
}

export async function customerOf(conn: Pick<Conn, 'select'>, id: number): Promise<Customer> {
  const [found] = await conn.select().from(customer).where(eq(customer.id, id));
  if (!found) throw new Problem('customer_unknown', `there is no customer ${id}`);
  return found;
}

export function showCustomer(row: Customer): CustomerReply {
  return {
    id: row.id,
    account_number: row.accountNumber,
    status: row.status,
    category: row.category,
    name: row.name,
    email: row.email,
    phone: row.phone,
    area_id: row.areaId,
    branch_id: row.branchId,
    reseller_id: row.resellerId,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

/** Exact: account number, e-mail, phone or a user name; then parts of the name (at most `mostFound`). */
function searchOf(text: string): Search {
  const words = text.trim();
  const exactIds = sql`
    SELECT ${customer.id} FROM ${customer} WHERE ${customer.accountNumber} = ${words}
    UNION ALL SELECT ${customer.id} FROM ${customer} WHERE ${customer.email} = ${words.toLowerCase()}
    UNION ALL SELECT ${customer.id} FROM ${customer} WHERE ${customer.phone} = ${words}
    UNION ALL SELECT ${subscription.customerId} FROM ${credential}
      JOIN ${subscription} ON ${subscription.id} = ${credential.subscriptionId} WHERE ${credential.userName} = ${words}`;
  return {
    matches: sql`${customer.id} = ANY(ARRAY(${exactIds} UNION ALL SELECT customer_search(${words}, ${mostFound})))`,
    exact: sql`${customer.id} = ANY(ARRAY(${exactIds}))`,
  };
}

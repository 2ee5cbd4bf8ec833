// Makes and changes customers.
import { eq, sql } from 'drizzle-orm';
import { accountNumber } from '#policy/customers/account-number.ts';
import type { Tx } from '../database/connect.ts';
import { invalid, Problem } from '../problem.ts';
import { accountNumberCounter } from '../tenants/schema.ts';
import type { CustomerBody, CustomerChange, CustomerReply } from './contract.ts';
import { showCustomer } from './queries.ts';
import { customer } from './schema.ts';

export async function createCustomer(tx: Tx, body: CustomerBody): Promise<CustomerReply> {
  const [made] = await tx
    .insert(customer)
    .values({
      tenantId: tx.scope.tenantId,
      accountNumber: body.account_number ?? (await nextAccountNumber(tx)),
      name: body.name,
      ...columnsOf(body),
    })
    .returning();
  if (!made) throw new Error('the customer was not inserted');
  tx.audit('customer', made.id, { account_number: made.accountNumber });
  return showCustomer(made);
}

export async function changeCustomer(tx: Tx, id: number, change: CustomerChange): Promise<CustomerReply> {
  if (Object.keys(change).length === 0) throw invalid('', 'names nothing to change');
  const [changed] = await tx
    .update(customer)
    .set({ ...(change.name === undefined ? {} : { name: change.name }), ...columnsOf(change), updatedAt: sql`now()` })
    .where(eq(customer.id, id))
    .returning();
  if (!changed) throw new Problem('customer_unknown', `there is no customer ${id}`);
  tx.audit('customer', id, change);
  return showCustomer(changed);
}

/** The next free number of the tenant's sequence; one that was taken over from another system is passed by. */
async function nextAccountNumber(tx: Tx): Promise<string> {
  for (;;) {
    const [counter] = await tx
      .insert(accountNumberCounter)
      .values({ tenantId: tx.scope.tenantId, next: 10_001 })
      .onConflictDoUpdate({
        target: accountNumberCounter.tenantId,
        set: { next: sql`${accountNumberCounter.next} + 1` },
      })
      .returning({ next: accountNumberCounter.next });
    if (!counter) throw new Error('the account number counter gave nothing');
    const number = accountNumber(counter.next - 1);
    const taken = await tx.select({ id: customer.id }).from(customer).where(eq(customer.accountNumber, number));
    if (taken.length === 0) return number;
  }
}

function columnsOf(body: Partial<CustomerBody>) {
  return {
    ...(body.status === undefined ? {} : { status: body.status }),
    ...(body.category === undefined ? {} : { category: body.category }),
    ...(body.email === undefined ? {} : { email: body.email?.toLowerCase() ?? null }),
    ...(body.phone === undefined ? {} : { phone: body.phone }),
    ...(body.area_id === undefined ? {} : { areaId: body.area_id }),
    ...(body.branch_id === undefined ? {} : { branchId: body.branch_id }),
    ...(body.reseller_id === undefined ? {} : { resellerId: body.reseller_id }),
  };
}

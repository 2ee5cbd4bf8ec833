// The table of customers.
import { pgTable, text } from 'drizzle-orm/pg-core';
import { id, instant, reference } from '../database/schema.ts';

export const customerStatuses = ['lead', 'new', 'active', 'blocked', 'disabled'] as const;
export const customerCategories = ['person', 'company'] as const;

export const customer = pgTable('customer', {
  id: id(),
  tenantId: reference('tenant_id').notNull(),
  accountNumber: text('account_number').notNull(),
  status: text('status', { enum: customerStatuses }).notNull().default('new'),
  category: text('category', { enum: customerCategories }).notNull().default('person'),
  name: text('name').notNull(),
  email: text('email'),
  phone: text('phone'),
  areaId: reference('area_id'),
  branchId: reference('branch_id'),
  resellerId: reference('reseller_id'),
  createdAt: instant('created_at').notNull().defaultNow(),
  updatedAt: instant('updated_at').notNull().defaultNow(),
});

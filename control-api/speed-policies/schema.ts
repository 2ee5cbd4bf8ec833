// The table of speeds that access servers know by name.
import { bigint, pgTable, text } from 'drizzle-orm/pg-core';
import { id, instant, reference } from '../database/schema.ts';

export const speedPolicy = pgTable('speed_policy', {
  id: id(),
  tenantId: reference('tenant_id').notNull(),
  vendor: text('vendor').notNull(),
  nasId: reference('nas_id'),
  upBps: bigint('up_bps', { mode: 'number' }).notNull(),
  downBps: bigint('down_bps', { mode: 'number' }).notNull(),
  name: text('name').notNull(),
  upName: text('up_name'),
  createdAt: instant('created_at').notNull().defaultNow(),
  updatedAt: instant('updated_at').notNull().defaultNow(),
});

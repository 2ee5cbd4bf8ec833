// Tables of address pools and their ranges.
import { bigint, boolean, inet, integer, pgTable, smallint, text } from 'drizzle-orm/pg-core';
import { exhaustedAnswers, poolFamilies } from '#policy/network/pool.ts';
import { id, instant, reference } from '../database/schema.ts';

export const addressPool = pgTable('address_pool', {
  id: id(),
  tenantId: reference('tenant_id').notNull(),
  name: text('name').notNull(),
  family: text('family', { enum: poolFamilies }).notNull(),
  unitLength: smallint('unit_length').notNull().default(32),
  priority: integer('priority').notNull().default(100),
  fallbackId: reference('fallback_id'),
  nasId: reference('nas_id'),
  onExhausted: text('on_exhausted', { enum: exhaustedAnswers }).notNull().default('reject'),
  coolDownS: integer('cool_down_s').notNull().default(300),
  reserve: integer('reserve').notNull().default(0),
  createdAt: instant('created_at').notNull().defaultNow(),
  updatedAt: instant('updated_at').notNull().defaultNow(),
});

export const addressPoolRange = pgTable('address_pool_range', {
  id: id(),
  tenantId: reference('tenant_id').notNull(),
  poolId: reference('pool_id').notNull(),
  first: inet('first').notNull(),
  last: inet('last').notNull(),
  size: bigint('size', { mode: 'number' }).notNull(),
  draining: boolean('draining').notNull().default(false),
  createdAt: instant('created_at').notNull().defaultNow(),
});

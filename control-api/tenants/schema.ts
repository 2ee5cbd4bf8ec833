// Tables of tenants and of the structure inside them.
import { bigint, char, jsonb, pgTable, smallint, text } from 'drizzle-orm/pg-core';
import type { RefusedLoginsText } from '#policy/access/refused-login.ts';
import { id, instant, reference } from '../database/schema.ts';

export const sessionModes = ['newest', 'refuse'] as const;
export const enforcementModes = ['enforce', 'observe', 'off'] as const;

export const tenant = pgTable('tenant', {
  id: id(),
  slug: text('slug').notNull(),
  name: text('name').notNull(),
  timeZone: text('time_zone').notNull().default('UTC'),
  currency: char('currency', { length: 3 }).notNull().default('USD'),
  gigabyteBytes: bigint('gigabyte_bytes', { mode: 'number' }).notNull().default(1_000_000_000),
  weekStart: smallint('week_start').notNull().default(1),
  enforcementMode: text('enforcement_mode', { enum: enforcementModes }).notNull().default('enforce'),
  sessionMode: text('session_mode', { enum: sessionModes }).notNull().default('newest'),
  refusedLogins: jsonb('refused_logins').$type<RefusedLoginsText>().notNull().default({}),
  createdAt: instant('created_at').notNull().defaultNow(),
});

export const accountNumberCounter = pgTable('account_number_counter', {
  tenantId: reference('tenant_id').notNull(),
  next: bigint('next', { mode: 'number' }).notNull().default(10_000),
});

export const area = pgTable('area', {
  id: id(),
  tenantId: reference('tenant_id').notNull(),
  parentId: reference('parent_id'),
  name: text('name').notNull(),
});

export const branch = pgTable('branch', {
  id: id(),
  tenantId: reference('tenant_id').notNull(),
  name: text('name').notNull(),
});

export const reseller = pgTable('reseller', {
  id: id(),
  tenantId: reference('tenant_id').notNull(),
  parentId: reference('parent_id'),
  name: text('name').notNull(),
});

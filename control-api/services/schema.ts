// Tables of the catalog: services and the versions of their tariffs.
import { bigint, char, integer, jsonb, pgTable, text } from 'drizzle-orm/pg-core';
import type { FupRule } from '#policy/fup/rules.ts';
import type { StoredAttribute } from '#policy/nas/reply-attributes.ts';
import { id, instant, reference } from '../database/schema.ts';

export const serviceCategories = ['internet', 'voice', 'bundle', 'recurring', 'one_time'] as const;
export const serviceStatuses = ['active', 'inactive'] as const;
export const suspendActions = ['walled_garden', 'throttle', 'reject'] as const;

export const service = pgTable('service', {
  id: id(),
  tenantId: reference('tenant_id').notNull(),
  category: text('category', { enum: serviceCategories }).notNull(),
  name: text('name').notNull(),
  description: text('description').notNull().default(''),
  status: text('status', { enum: serviceStatuses }).notNull().default('active'),
  createdAt: instant('created_at').notNull().defaultNow(),
  updatedAt: instant('updated_at').notNull().defaultNow(),
});

export const tariff = pgTable('tariff', {
  id: id(),
  tenantId: reference('tenant_id').notNull(),
  serviceId: reference('service_id').notNull(),
  version: integer('version').notNull(),
  upBps: bigint('up_bps', { mode: 'number' }).notNull(),
  downBps: bigint('down_bps', { mode: 'number' }).notNull(),
  fupRules: jsonb('fup_rules').$type<readonly FupRule[]>().notNull().default([]),
  suspendAction: text('suspend_action', { enum: suspendActions }).notNull().default('walled_garden'),
  graceS: integer('grace_s').notNull().default(0),
  interimIntervalS: integer('interim_interval_s').notNull().default(300),
  monthlyFeeMinor: bigint('monthly_fee_minor', { mode: 'bigint' }).notNull().default(0n),
  currency: char('currency', { length: 3 }).notNull().default('USD'),
  attributes: jsonb('attributes').$type<readonly StoredAttribute[]>().notNull().default([]),
  createdAt: instant('created_at').notNull().defaultNow(),
});

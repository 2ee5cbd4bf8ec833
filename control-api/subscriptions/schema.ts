// Tables of subscriptions: life cycle, holds, credentials and static addresses.
import { cidr, jsonb, pgTable, smallint, text } from 'drizzle-orm/pg-core';
import { passwordSchemes } from '#policy/credentials/password-scheme.ts';
import { subscriptionStatuses } from '#policy/customers/subscription-status.ts';
import { meters } from '#policy/ledger/types.ts';
import type { StoredAttribute } from '#policy/nas/reply-attributes.ts';
import { bytea, id, instant, reference } from '../database/schema.ts';

export const holdReasons = ['non_payment', 'fraud', 'abuse', 'customer_request', 'admin'] as const;
export const terminationReasons = ['non_payment', 'moved', 'competitor', 'deceased', 'fraud', 'other'] as const;
export const addressKinds = ['ipv4', 'framed_route', 'ipv6_prefix', 'delegated_prefix'] as const;

export const subscription = pgTable('subscription', {
  id: id(),
  tenantId: reference('tenant_id').notNull(),
  customerId: reference('customer_id').notNull(),
  serviceId: reference('service_id').notNull(),
  tariffId: reference('tariff_id').notNull(),
  status: text('status', { enum: subscriptionStatuses }).notNull().default('pending'),
  paidUntil: instant('paid_until'),
  paidUntilSetAt: instant('paid_until_set_at').notNull().defaultNow(),
  anchorDay: smallint('anchor_day').notNull().default(1),
  meter: text('meter', { enum: meters }).notNull().default('radius'),
  meterSince: instant('meter_since'),
  attributes: jsonb('attributes').$type<readonly StoredAttribute[]>().notNull().default([]),
  createdAt: instant('created_at').notNull().defaultNow(),
  updatedAt: instant('updated_at').notNull().defaultNow(),
  terminatedAt: instant('terminated_at'),
  terminationReason: text('termination_reason', { enum: terminationReasons }),
});

export const subscriptionHold = pgTable('subscription_hold', {
  id: id(),
  tenantId: reference('tenant_id').notNull(),
  subscriptionId: reference('subscription_id').notNull(),
  reason: text('reason', { enum: holdReasons }).notNull(),
  since: instant('since').notNull().defaultNow(),
  until: instant('until'),
  placedBy: reference('placed_by'),
  liftedAt: instant('lifted_at'),
  liftedBy: reference('lifted_by'),
});

export const credential = pgTable('credential', {
  id: id(),
  tenantId: reference('tenant_id').notNull(),
  subscriptionId: reference('subscription_id').notNull(),
  realm: text('realm').notNull().default(''),
  userName: text('user_name').notNull(),
  passwordCipher: bytea('password_cipher').notNull(),
  passwordScheme: text('password_scheme', { enum: passwordSchemes }).notNull().default('clear'),
  createdAt: instant('created_at').notNull().defaultNow(),
});

export const addressAssignment = pgTable('address_assignment', {
  id: id(),
  tenantId: reference('tenant_id').notNull(),
  subscriptionId: reference('subscription_id').notNull(),
  kind: text('kind', { enum: addressKinds }).notNull(),
  prefix: cidr('prefix').notNull(),
  assignedAt: instant('assigned_at').notNull().defaultNow(),
  releasedAt: instant('released_at'),
});

// Tables of how access servers are operated: maintenance, drains, and sessions that are moved.
import { integer, pgTable, text } from 'drizzle-orm/pg-core';
import { drainAnswers } from '#policy/nas/drain.ts';
import { id, instant, reference } from '../database/schema.ts';

export const nasMaintenance = pgTable('nas_maintenance', {
  id: id(),
  tenantId: reference('tenant_id').notNull(),
  nasId: reference('nas_id').notNull(),
  startsAt: instant('starts_at').notNull(),
  endsAt: instant('ends_at').notNull(),
  note: text('note').notNull().default(''),
  createdAt: instant('created_at').notNull().defaultNow(),
});

export const nasDrain = pgTable('nas_drain', {
  id: id(),
  tenantId: reference('tenant_id').notNull(),
  nasId: reference('nas_id').notNull(),
  answer: text('answer', { enum: drainAnswers }).notNull().default('silence'),
  note: text('note').notNull().default(''),
  startedAt: instant('started_at').notNull().defaultNow(),
  endedAt: instant('ended_at'),
});

export const nasMove = pgTable('nas_move', {
  id: id(),
  tenantId: reference('tenant_id').notNull(),
  drainId: reference('drain_id').notNull(),
  /** Sessions, as they were confirmed. */
  most: integer('most').notNull(),
  perS: integer('per_s').notNull(),
  startedAt: instant('started_at').notNull().defaultNow(),
  stoppedAt: instant('stopped_at'),
});

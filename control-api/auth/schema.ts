// Tables of people and their sign-ins.
import { pgTable, text, uuid } from 'drizzle-orm/pg-core';
import { bytea, id, instant, reference } from '../database/schema.ts';
import { roles } from '../permissions.ts';

export const appUser = pgTable('app_user', {
  id: id(),
  tenantId: reference('tenant_id'),
  email: text('email').notNull(),
  name: text('name').notNull().default(''),
  role: text('role', { enum: roles }).notNull(),
  passwordHash: text('password_hash').notNull(),
  status: text('status', { enum: ['active', 'disabled'] })
    .notNull()
    .default('active'),
  branchId: reference('branch_id'),
  resellerId: reference('reseller_id'),
  createdAt: instant('created_at').notNull().defaultNow(),
});

export const authSession = pgTable('auth_session', {
  id: id(),
  userId: reference('user_id').notNull(),
  login: uuid('login').notNull(),
  accessHash: bytea('access_hash').notNull(),
  refreshHash: bytea('refresh_hash').notNull(),
  accessExpiresAt: instant('access_expires_at').notNull(),
  refreshExpiresAt: instant('refresh_expires_at').notNull(),
  replacedAt: instant('replaced_at'),
  createdAt: instant('created_at').notNull().defaultNow(),
});

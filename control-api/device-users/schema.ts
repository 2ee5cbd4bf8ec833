// Tables of the staff who log in to network devices.
import { boolean, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import { passwordSchemes } from '#policy/credentials/password-scheme.ts';
import { deviceAccesses } from '#policy/nas/device-access.ts';
import { bytea, id, instant, reference } from '../database/schema.ts';

export const deviceUser = pgTable('device_user', {
  id: id(),
  tenantId: reference('tenant_id').notNull(),
  userName: text('user_name').notNull(),
  passwordScheme: text('password_scheme', { enum: passwordSchemes }).notNull(),
  passwordCipher: bytea('password_cipher').notNull(),
  access: text('access', { enum: deviceAccesses }).notNull(),
  enabled: boolean('enabled').notNull().default(true),
  validUntil: instant('valid_until'),
  /** False: at the access servers of deviceUserNas alone. */
  everywhere: boolean('everywhere').notNull().default(true),
  note: text('note').notNull().default(''),
  createdAt: instant('created_at').notNull().defaultNow(),
  updatedAt: instant('updated_at').notNull().defaultNow(),
});

export const deviceUserNas = pgTable(
  'device_user_nas',
  {
    tenantId: reference('tenant_id').notNull(),
    deviceUserId: reference('device_user_id').notNull(),
    nasId: reference('nas_id').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.deviceUserId, table.nasId] })],
);

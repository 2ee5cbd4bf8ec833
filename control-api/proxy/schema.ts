// Tables of the RADIUS proxy: home servers, realms with their pools of home servers, copies of the accounting.
import { boolean, inet, integer, jsonb, pgTable, primaryKey, smallint, text } from 'drizzle-orm/pg-core';
import {
  type AllowedAttribute,
  accountingPlaces,
  authenticationPlaces,
  healthChecks,
  serverChoices,
  unreachableAnswers,
} from '#policy/proxy/settings.ts';
import { bytea, id, instant, reference } from '../database/schema.ts';
import { demands, nasStatuses } from '../nas/schema.ts';

const lifetime = {
  status: text('status', { enum: nasStatuses }).notNull().default('active'),
  createdAt: instant('created_at').notNull().defaultNow(),
  updatedAt: instant('updated_at').notNull().defaultNow(),
};

export const homeServer = pgTable('home_server', {
  id: id(),
  tenantId: reference('tenant_id').notNull(),
  name: text('name').notNull(),
  address: inet('address').notNull(),
  authPort: integer('auth_port').notNull().default(1812),
  acctPort: integer('acct_port').notNull().default(1813),
  secretCipher: bytea('secret_cipher').notNull(),
  responseWindowMs: integer('response_window_ms').notNull().default(2000),
  attempts: smallint('attempts').notNull().default(1),
  healthCheck: text('health_check', { enum: healthChecks }).notNull().default('status_server'),
  messageAuthenticator: text('message_authenticator', { enum: demands }).notNull().default('auto'),
  maxOutstanding: integer('max_outstanding').notNull().default(2048),
  ...lifetime,
});

export const realm = pgTable('realm', {
  id: id(),
  tenantId: reference('tenant_id').notNull(),
  name: text('name').notNull(),
  stripUserName: boolean('strip_user_name').notNull().default(false),
  authentication: text('authentication', { enum: authenticationPlaces }).notNull().default('forward'),
  accounting: text('accounting', { enum: accountingPlaces }).notNull().default('both'),
  choice: text('choice', { enum: serverChoices }).notNull().default('order'),
  unreachable: text('unreachable', { enum: unreachableAnswers }).notNull().default('silence'),
  replyAttributes: jsonb('reply_attributes').$type<readonly AllowedAttribute[]>(),
  ...lifetime,
});

export const realmHomeServer = pgTable(
  'realm_home_server',
  {
    tenantId: reference('tenant_id').notNull(),
    realmId: reference('realm_id').notNull(),
    homeServerId: reference('home_server_id').notNull(),
    position: smallint('position').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.realmId, table.position] })],
);

export const accountingCopy = pgTable('accounting_copy', {
  id: id(),
  tenantId: reference('tenant_id').notNull(),
  name: text('name').notNull(),
  homeServerId: reference('home_server_id').notNull(),
  nasId: reference('nas_id'),
  ...lifetime,
});

// Tables that belong to no domain: the audit log and the idempotency keys; and the column types drizzle does not have.
import { bigint, customType, jsonb, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';

export const bytea = customType<{ data: Buffer; driverData: Buffer }>({ dataType: () => 'bytea' });
export const id = () => bigint('id', { mode: 'number' }).generatedAlwaysAsIdentity();
export const reference = (name: string) => bigint(name, { mode: 'number' });
export const instant = (name: string) => timestamp(name, { withTimezone: true, mode: 'date' });

export const auditLog = pgTable('audit_log', {
  id: id(),
  tenantId: reference('tenant_id'),
  userId: reference('user_id'),
  action: text('action').notNull(),
  entity: text('entity').notNull().default(''),
  entityId: reference('entity_id'),
  detail: jsonb('detail').$type<Readonly<Record<string, unknown>>>().notNull().default({}),
  requestId: text('request_id').notNull().default(''),
  at: instant('at').notNull().defaultNow(),
});

export const idempotencyKey = pgTable(
  'idempotency_key',
  {
    tenantId: reference('tenant_id').notNull(),
    key: text('key').notNull(),
    operation: text('operation').notNull(),
    bodyHash: bytea('body_hash').notNull(),
    response: jsonb('response').$type<unknown>(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.key] })],
);

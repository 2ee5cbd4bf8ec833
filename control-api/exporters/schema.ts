// The table of exporters of flows.
import { boolean, inet, integer, pgTable, text } from 'drizzle-orm/pg-core';
import { countDirections, exporterRoles } from '#policy/flow/exporter.ts';
import { id, instant, reference } from '../database/schema.ts';

export const exporter = pgTable('exporter', {
  id: id(),
  tenantId: reference('tenant_id').notNull(),
  name: text('name').notNull(),
  address: inet('address').notNull(),
  role: text('role', { enum: exporterRoles }).notNull().default('core'),
  samplingRate: integer('sampling_rate'),
  countDirection: text('count_direction', { enum: countDirections }).notNull().default('ingress'),
  totalsAreDeltas: boolean('totals_are_deltas').notNull().default(false),
  discovered: boolean('discovered').notNull().default(false),
  createdAt: instant('created_at').notNull().defaultNow(),
  updatedAt: instant('updated_at').notNull().defaultNow(),
});

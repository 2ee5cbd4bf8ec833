// The table of network access servers.
import { boolean, cidr, inet, integer, jsonb, pgTable, text } from 'drizzle-orm/pg-core';
import { ipv6Rules, speedWays } from '#policy/nas/profile.ts';
import type { StoredAttribute } from '#policy/nas/reply-attributes.ts';
import { bytea, id, instant, reference } from '../database/schema.ts';
import { enforcementModes } from '../tenants/schema.ts';

export const nasStatuses = ['active', 'inactive'] as const;
/** Demanded, not demanded, or learned by the edge from what the access server sends. */
export const demands = ['yes', 'no', 'auto'] as const;

/** auto: requests for a login to the device itself are answered to staff alone; never: every login there is a subscriber's. */
export const deviceLoginsModes = ['auto', 'never'] as const;

export const nas = pgTable('nas', {
  id: id(),
  tenantId: reference('tenant_id').notNull(),
  name: text('name').notNull(),
  address: cidr('address').notNull(),
  nasIdentifier: text('nas_identifier'),
  vendor: text('vendor').notNull().default('generic'),
  secretCipher: bytea('secret_cipher').notNull(),
  nextSecretCipher: bytea('next_secret_cipher'),
  rotationStartedAt: instant('rotation_started_at'),
  coaAddress: inet('coa_address'),
  coaPort: integer('coa_port'),
  coaRatePerS: integer('coa_rate_per_s').notNull().default(100),
  mode: text('mode', { enum: enforcementModes }).notNull().default('enforce'),
  adoptedAt: instant('adopted_at'),
  messageAuthenticator: text('message_authenticator', { enum: demands }).notNull().default('auto'),
  limitProxyState: text('limit_proxy_state', { enum: demands }).notNull().default('auto'),
  replyMessageAuthenticator: boolean('reply_message_authenticator').notNull().default(true),
  /** Whether messageAuthenticator is yes: the database sees to it. */
  requireMessageAuthenticator: boolean('require_message_authenticator').notNull().default(true),
  learnSince: instant('learn_since').notNull().defaultNow(),
  speedWay: text('speed_way', { enum: speedWays }),
  swapOctets: boolean('swap_octets').notNull().default(false),
  octetUnit: integer('octet_unit').notNull().default(1),
  ipv6Rule: text('ipv6_rule', { enum: ipv6Rules }),
  attributes: jsonb('attributes').$type<readonly StoredAttribute[]>().notNull().default([]),
  radsecIdentity: text('radsec_identity'),
  coaOverRadsec: boolean('coa_over_radsec').notNull().default(false),
  deviceLogins: text('device_logins', { enum: deviceLoginsModes }).notNull().default('auto'),
  status: text('status', { enum: nasStatuses }).notNull().default('active'),
  createdAt: instant('created_at').notNull().defaultNow(),
  updatedAt: instant('updated_at').notNull().defaultNow(),
});

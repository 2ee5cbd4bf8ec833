// Rows of the feed_* views as records of the snapshot. The views are the contract with PostgreSQL (migrations/0003_feed.sql and later ones).
import { parseRefusedLogins } from '#policy/access/refused-login.ts';
import { isPasswordScheme } from '#policy/credentials/password-scheme.ts';
import { parseFupRules } from '#policy/fup/parse.ts';
import type { MacMode } from '#policy/ledger/login.ts';
import type { StoredAttribute } from '#policy/nas/reply-attributes.ts';
import type { Pool, PoolRange } from '#policy/network/pool.ts';
import { isTimeZone } from '#policy/zone.ts';
import { type DeviceUserRecord, deviceUserView } from './device-users.ts';
import { longestName } from './keys.ts';
import type {
  AddressRecord,
  CredentialRecord,
  HoldReason,
  NasRecord,
  NetworkTerms,
  PlanRecord,
  SubscriptionRecord,
  TenantRecord,
} from './records.ts';
import type { ProxyRecord } from './records-of-proxy.ts';
import { ms, type NasColumns, nasAttribute, nasRecordOf, selectNas } from './rows-of-nas.ts';
import { type ProxyColumns, proxyRecordOf, selectProxy } from './rows-of-proxy.ts';

/** The order is part of the snapshot's format: append, never reorder. */
export const feedKinds = ['tenant', 'plan', 'nas', 'subscription', 'pool', 'device_user', 'proxy'] as const;
export type FeedKind = (typeof feedKinds)[number];

/** One record with what belongs to it; `unreadable` says why a row could not be taken over. */
export type SourceRow =
  | { readonly kind: 'tenant'; readonly record: TenantRecord }
  | { readonly kind: 'plan'; readonly record: PlanRecord }
  | { readonly kind: 'nas'; readonly record: NasRecord }
  | { readonly kind: 'pool'; readonly record: Pool }
  | { readonly kind: 'device_user'; readonly record: DeviceUserRecord }
  | { readonly kind: 'proxy'; readonly record: ProxyRecord }
  | {
      readonly kind: 'subscription';
      readonly record: SubscriptionRecord;
      readonly credentials: readonly CredentialRecord[];
    }
  | {
      readonly kind: 'unreadable';
      readonly of: FeedKind;
      readonly record: { readonly tenantId: number; readonly id: number };
      readonly problem: string;
    };

type View<T> = { readonly select: string; readonly toRow: (row: T) => SourceRow };

type TenantColumns = {
  id: string;
  slug: string;
  time_zone: string;
  week_start: number;
  enforcement_mode: TenantRecord['mode'];
  session_mode: NonNullable<TenantRecord['sessionMode']>;
  refused_logins: unknown;
};

type PlanColumns = {
  tenant_id: string;
  id: string;
  up_bps: string;
  down_bps: string;
  fup_rules: unknown;
  suspend_action: PlanRecord['suspendAction'];
  grace_s: number;
  interim_interval_s: number;
  attributes: StoredAttribute[];
} & NetworkColumns;

/** Of a tariff nothing of it but pools is null. */
type NetworkColumns = {
  ipv4_pool_id: string | null;
  ipv6_pool_id: string | null;
  delegated_pool_id: string | null;
  session_limit: number | null;
  mac_limit: number | null;
  mac_mode: MacMode | null;
};

type PoolColumns = {
  tenant_id: string;
  id: string;
  name: string;
  family: Pool['family'];
  unit_length: number;
  priority: number;
  fallback_id: string | null;
  nas_id: string | null;
  on_exhausted: Pool['onExhausted'];
  cool_down_s: number;
  reserve: number;
  ranges: PoolRange[];
};

type SubscriptionColumns = {
  tenant_id: string;
  id: string;
  customer_id: string;
  plan_id: string;
  customer_status: SubscriptionRecord['customerStatus'];
  status: SubscriptionRecord['status'];
  paid_until_ms: number | null;
  paid_until_set_at_ms: number;
  anchor_day: number;
  meter: SubscriptionRecord['meter'];
  meter_since_ms: number | null;
  holds: { reason: HoldReason; since: string; until: string | null }[];
  credentials: { realm: string; user_name: string; password_cipher: string; scheme: string }[];
  addresses: AddressRecord[];
  attributes: StoredAttribute[] | null;
} & NetworkColumns;

const networkColumns = 'ipv4_pool_id, ipv6_pool_id, delegated_pool_id, session_limit, mac_limit, mac_mode';

const numberOrNull = (text: string | null) => (text === null ? null : Number(text));

function poolIds(row: NetworkColumns): Pick<NetworkTerms, 'ipv4PoolId' | 'ipv6PoolId' | 'delegatedPoolId'> {
  return {
    ipv4PoolId: numberOrNull(row.ipv4_pool_id),
    ipv6PoolId: numberOrNull(row.ipv6_pool_id),
    delegatedPoolId: numberOrNull(row.delegated_pool_id),
  };
}

/** Nothing of a subscription that is in all as its plan says. */
function ownNetwork(row: NetworkColumns): Pick<SubscriptionRecord, 'network'> {
  const { session_limit: sessionLimit, mac_limit: macLimit, mac_mode: macMode } = row;
  const network = { ...poolIds(row), sessionLimit, macLimit, macMode };
  return Object.values(network).every((value) => value === null) ? {} : { network };
}

const tenantView: View<TenantColumns> = {
  select: 'SELECT id, slug, time_zone, week_start, enforcement_mode, session_mode, refused_logins FROM feed_tenant',
  toRow(row) {
    const id = Number(row.id);
    const { slug, time_zone: timeZone, week_start: weekStart } = row;
    if (!isTimeZone(timeZone)) {
      const problem = `${JSON.stringify(timeZone)} is no time zone`;
      return { kind: 'unreadable', of: 'tenant', record: { tenantId: id, id }, problem };
    }
    const refused = parseRefusedLogins(row.refused_logins);
    if (!refused.ok)
      return { kind: 'unreadable', of: 'tenant', record: { tenantId: id, id }, problem: refused.problem };
    const { enforcement_mode: mode, session_mode: sessionMode } = row;
    return {
      kind: 'tenant',
      record: { id, slug, timeZone, weekStart, mode, sessionMode, refusedLogins: refused.value },
    };
  },
};

const planView: View<PlanColumns> = {
  select: `SELECT tenant_id, id, up_bps, down_bps, fup_rules, suspend_action, grace_s, interim_interval_s, ${networkColumns}, attributes
    FROM feed_plan JOIN feed_plan_attributes USING (tenant_id, id)`,
  toRow(row) {
    const tenantId = Number(row.tenant_id);
    const id = Number(row.id);
    const rules = parseFupRules(row.fup_rules);
    if (!rules.ok) {
      const problem = rules.problems.map(({ path, message }) => `${path} ${message}`).join('; ');
      return { kind: 'unreadable', of: 'plan', record: { tenantId, id }, problem };
    }
    return {
      kind: 'plan',
      record: {
        tenantId,
        id,
        speed: { upBps: Number(row.up_bps), downBps: Number(row.down_bps) },
        fupRules: rules.rules,
        suspendAction: row.suspend_action,
        graceMs: row.grace_s * 1000,
        interimIntervalS: row.interim_interval_s,
        network: {
          ...poolIds(row),
          sessionLimit: row.session_limit ?? 0,
          macLimit: row.mac_limit ?? 0,
          macMode: row.mac_mode ?? 'lock',
        },
        attributes: row.attributes.map(nasAttribute),
      },
    };
  },
};

const nasView: View<NasColumns> = {
  select: selectNas,
  toRow: (row) => ({ kind: 'nas', record: nasRecordOf(row) }),
};

const subscriptionView: View<SubscriptionColumns> = {
  select: `SELECT tenant_id, id, customer_id, plan_id, customer_status, status, ${ms('paid_until')} AS paid_until_ms,
    ${ms('paid_until_set_at')} AS paid_until_set_at_ms, anchor_day, meter, ${ms('meter_since')} AS meter_since_ms, holds,
    credentials, addresses, ${networkColumns}, attributes
    FROM feed_subscription LEFT JOIN feed_subscription_attributes USING (tenant_id, id)`,
  toRow(row) {
    const tenantId = Number(row.tenant_id);
    const id = Number(row.id);
    return {
      kind: 'subscription',
      record: {
        tenantId,
        id,
        customerId: Number(row.customer_id),
        planId: Number(row.plan_id),
        customerStatus: row.customer_status,
        status: row.status,
        holds: row.holds.map(({ reason, since, until }) => ({
          reason,
          sinceMs: Date.parse(since),
          untilMs: until === null ? null : Date.parse(until),
        })),
        paidUntilMs: row.paid_until_ms,
        paidUntilSetAtMs: row.paid_until_set_at_ms,
        anchorDay: row.anchor_day,
        meter: row.meter,
        meterSinceMs: row.meter_since_ms,
        addresses: row.addresses,
        ...ownNetwork(row),
        ...(row.attributes ? { attributes: row.attributes.map(nasAttribute) } : {}),
      },
      credentials: row.credentials
        .filter(({ realm }) => Buffer.byteLength(realm) <= longestName)
        .map(({ realm, user_name: userName, password_cipher, scheme }) => ({
          tenantId,
          realm,
          userName,
          subscriptionId: id,
          passwordCipher: Buffer.from(password_cipher, 'base64'),
          // A scheme of a newer version proves nothing here.
          scheme: isPasswordScheme(scheme) ? scheme : 'none',
        })),
    };
  },
};

const poolView: View<PoolColumns> = {
  select: `SELECT tenant_id, id, name, family, unit_length, priority, fallback_id, nas_id, on_exhausted, cool_down_s, reserve, ranges
    FROM feed_pool`,
  toRow: (row) => ({
    kind: 'pool',
    record: {
      tenantId: Number(row.tenant_id),
      id: Number(row.id),
      name: row.name,
      family: row.family,
      priority: row.priority,
      fallbackId: numberOrNull(row.fallback_id),
      nasId: numberOrNull(row.nas_id),
      onExhausted: row.on_exhausted,
      unitLength: row.unit_length,
      coolDownMs: row.cool_down_s * 1000,
      reserve: row.reserve,
      ranges: row.ranges,
    },
  }),
};

const proxyView: View<ProxyColumns> = {
  select: selectProxy,
  toRow: (row) => ({ kind: 'proxy', record: proxyRecordOf(row) }),
};

/** What to select for a kind, and how its rows become records. */
export const views: Readonly<Record<FeedKind, View<never>>> = {
  tenant: tenantView,
  plan: planView,
  nas: nasView,
  subscription: subscriptionView,
  pool: poolView,
  device_user: deviceUserView,
  proxy: proxyView,
};

// Reads subscriptions with everything that is shown of them.
import { and, asc, eq, inArray, isNull, type SQL, sql } from 'drizzle-orm';
import { methodsServed } from '#policy/credentials/password-scheme.ts';
import { kindOf, lineOf } from '#policy/credentials/vouched.ts';
import type { Conn } from '../database/connect.ts';
import { inOrder, pageOf, type Search } from '../database/list.ts';
import type { ListQuery, Pagination } from '../database/list-contract.ts';
import { Problem } from '../problem.ts';
import { showAttributes } from '../reply-attributes/contract.ts';
import { showTariff } from '../services/queries.ts';
import { service, tariff } from '../services/schema.ts';
import { presentTenant } from '../tenants/queries.ts';
import { type SubscriptionReply, standingHold, subscriptionList } from './contract.ts';
import { addressAssignment, credential, subscription, subscriptionHold } from './schema.ts';

export type Subscription = typeof subscription.$inferSelect;

/** Which subscription a path names: `/subscriptions/{id}` or `/customers/{id}/services/{subscription_id}`. */
export type SubscriptionPath = { readonly subscriptionId: number; readonly customerId: number | undefined };

const mostFound = 1000;

export async function listSubscriptions(
  conn: Conn,
  query: ListQuery,
  now: Date,
  customerId?: number,
): Promise<{ data: SubscriptionReply[]; pagination: Pagination }> {
  const search = query.search === undefined ? undefined : searchOf(query.search);
  const narrowed = customerId === undefined ? undefined : eq(subscription.customerId, customerId);
  const { ids, pagination } = await pageOf(conn, subscriptionList, query, search, narrowed);
  return { data: inOrder(ids, await show(conn, ids, now)), pagination };
}

export async function getSubscription(conn: Conn, path: SubscriptionPath, now: Date): Promise<SubscriptionReply> {
  const { id } = await subscriptionOf(conn, path);
  const [shown] = await show(conn, [id], now);
  if (!shown) throw unknown(path);
  return shown;
}

export async function subscriptionOf(conn: Pick<Conn, 'select'>, path: SubscriptionPath): Promise<Subscription> {
  const [found] = await conn.select().from(subscription).where(named(path));
  if (!found) throw unknown(path);
  return found;
}

export function named({ subscriptionId, customerId }: SubscriptionPath): SQL | undefined {
  const own = eq(subscription.id, subscriptionId);
  return customerId === undefined ? own : and(own, eq(subscription.customerId, customerId));
}

export function unknown({ subscriptionId, customerId }: SubscriptionPath): Problem {
  const whose = customerId === undefined ? '' : ` of customer ${customerId}`;
  return new Problem('subscription_unknown', `there is no subscription ${subscriptionId}${whose}`);
}

async function show(conn: Conn, ids: readonly number[], now: Date): Promise<SubscriptionReply[]> {
  if (ids.length === 0) return [];
  const among = [...ids];
  const { gigabyteBytes } = await presentTenant(conn);
  const rows = await conn
    .select({ subscription, tariff, serviceName: service.name })
    .from(subscription)
    .innerJoin(tariff, eq(tariff.id, subscription.tariffId))
    .innerJoin(service, eq(service.id, subscription.serviceId))
    .where(inArray(subscription.id, among));
  const holds = await conn
    .select()
    .from(subscriptionHold)
    .where(and(inArray(subscriptionHold.subscriptionId, among), standingHold))
    .orderBy(asc(subscriptionHold.id));
  const credentials = await conn
    .select()
    .from(credential)
    .where(inArray(credential.subscriptionId, among))
    .orderBy(asc(credential.id));
  const addresses = await conn
    .select()
    .from(addressAssignment)
    .where(and(inArray(addressAssignment.subscriptionId, among), isNull(addressAssignment.releasedAt)))
    .orderBy(asc(addressAssignment.id));

  return rows.map(({ subscription: row, tariff: plan, serviceName }) => {
    const standing = holds.filter((hold) => hold.subscriptionId === row.id);
    const own = credentials.filter((one) => one.subscriptionId === row.id);
    const name = own.find((one) => kindOf(one.realm) === 'login');
    const ends = row.paidUntil && row.paidUntil.getTime() + plan.graceS * 1000;
    return {
      id: row.id,
      customer_id: row.customerId,
      service_id: row.serviceId,
      service_name: serviceName,
      tariff: showTariff(plan, gigabyteBytes),
      status: row.status === 'active' && standing.length > 0 ? 'suspended' : row.status,
      expired: ends !== null && ends < now.getTime(),
      holds: standing.map(({ reason, since, until, placedBy }) => ({
        reason,
        since: since.toISOString(),
        until: until?.toISOString() ?? null,
        by: placedBy,
      })),
      paid_until: row.paidUntil?.toISOString() ?? null,
      anchor_day: row.anchorDay,
      meter: row.meter,
      meter_since: row.meterSince?.toISOString() ?? null,
      user_name: name?.userName ?? null,
      realm: name?.realm ?? null,
      credentials: own.map(showCredential),
      addresses: addresses
        .filter((address) => address.subscriptionId === row.id)
        .map(({ id, kind, prefix, assignedAt }) => ({ id, kind, prefix, assigned_at: assignedAt.toISOString() })),
      attributes: showAttributes(row.attributes),
      created_at: row.createdAt.toISOString(),
      updated_at: row.updatedAt.toISOString(),
      terminated_at: row.terminatedAt?.toISOString() ?? null,
      termination_reason: row.terminationReason,
    };
  });
}

function showCredential({ id, realm, userName, passwordScheme, createdAt }: typeof credential.$inferSelect) {
  const kind = kindOf(realm);
  const line = kind === 'line' ? lineOf({ realm, userName }) : { circuitId: null, remoteId: null };
  return {
    id,
    kind,
    user_name: kind === 'line' ? [line.circuitId, line.remoteId].filter((part) => part !== null).join(' ') : userName,
    realm: kind === 'login' ? realm : null,
    scheme: passwordScheme,
    serves: [...methodsServed(passwordScheme)],
    circuit_id: line.circuitId,
    remote_id: line.remoteId,
    created_at: createdAt.toISOString(),
  };
}

function searchOf(text: string): Search {
  const exactIds = sql`SELECT ${credential.subscriptionId} FROM ${credential} WHERE ${credential.userName} = ${text}`;
  return {
    matches: sql`${subscription.id} = ANY(ARRAY(${exactIds} UNION ALL SELECT credential_search(${text}, ${mostFound})))`,
    exact: sql`${subscription.id} = ANY(ARRAY(${exactIds}))`,
  };
}

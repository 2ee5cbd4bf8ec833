// The life of a subscription: subscribe, change, suspend, reactivate, move, terminate.
import { and, eq, isNull, sql } from 'drizzle-orm';
import type { Keyring } from '#ops/runtime/keyring.ts';
import { mayFollow } from '#policy/customers/subscription-status.ts';
import { customerOf } from '../customers/queries.ts';
import type { Tx } from '../database/connect.ts';
import { instantOf } from '../fields.ts';
import { invalid, Problem } from '../problem.ts';
import type { Compiled } from '../reply-attributes/contract.ts';
import { serviceOf } from '../services/queries.ts';
import { assignAddress } from './addresses.ts';
import type { CredentialBody, CredentialChange, SubscribeBody, SubscriptionChange, SuspendBody } from './contract.ts';
import { addCredential, changeCredential } from './credentials.ts';
import { named, type Subscription, type SubscriptionPath, unknown } from './queries.ts';
import {
  addressAssignment,
  type holdReasons,
  subscription,
  subscriptionHold,
  type terminationReasons,
} from './schema.ts';

type HoldReason = (typeof holdReasons)[number];
type TerminationReason = (typeof terminationReasons)[number];

/** Sells a service to a customer, on the newest version of its tariff. Gives the id. */
export async function subscribe(
  tx: Tx,
  keyring: Keyring,
  customerId: number,
  body: Compiled<SubscribeBody>,
): Promise<number> {
  const { tenantId } = tx.scope;
  await customerOf(tx, customerId);
  const tariffId = await sellable(tx, body.service_id);
  const [made] = await tx
    .insert(subscription)
    .values({
      tenantId,
      customerId,
      serviceId: body.service_id,
      tariffId,
      status: body.status ?? 'active',
      anchorDay: body.anchor_day ?? 1,
      meter: body.meter ?? 'radius',
      paidUntil: body.paid_until ? instantOf(body.paid_until, '/paid_until') : null,
      ...(body.attributes === undefined ? {} : { attributes: body.attributes }),
    })
    .returning({ id: subscription.id });
  if (!made) throw new Error('the subscription was not inserted');
  await addCredential(tx, keyring, made.id, {
    kind: 'login',
    realm: body.realm ?? '',
    user_name: body.user_name,
    password: body.password,
  });
  for (const [index, address] of (body.addresses ?? []).entries())
    await assignAddress(tx, made.id, address, `/addresses/${index}`);
  tx.audit('subscription', made.id, {
    customer_id: customerId,
    service_id: body.service_id,
    user_name: body.user_name,
    ...(body.meter === undefined ? {} : { meter: body.meter }),
  });
  return made.id;
}

export async function changeSubscription(
  tx: Tx,
  keyring: Keyring,
  path: SubscriptionPath,
  change: Compiled<SubscriptionChange>,
): Promise<number> {
  if (Object.keys(change).length === 0) throw invalid('', 'names nothing to change');
  const found = await lock(tx, path);
  const { id, status } = found;
  if (change.status !== undefined && !mayFollow(status, change.status))
    throw new Problem('status_refused', `${change.status} cannot follow ${status}`);
  await tx
    .update(subscription)
    .set({
      ...(change.status === undefined ? {} : { status: change.status }),
      ...(change.anchor_day === undefined ? {} : { anchorDay: change.anchor_day }),
      ...(change.paid_until === undefined
        ? {}
        : {
            paidUntil: change.paid_until === null ? null : instantOf(change.paid_until, '/paid_until'),
            paidUntilSetAt: sql`now()`,
          }),
      ...meterOf(found, change),
      ...(change.attributes === undefined ? {} : { attributes: change.attributes }),
      updatedAt: sql`now()`,
    })
    .where(eq(subscription.id, id));
  if (change.user_name !== undefined || change.password !== undefined)
    await changeCredential(tx, keyring, id, loginChange(change));
  tx.audit('subscription', id, withoutPassword(change));
  return id;
}

/** Adds a further login, a MAC address or a line. */
export async function giveCredential(
  tx: Tx,
  keyring: Keyring,
  path: SubscriptionPath,
  body: CredentialBody,
): Promise<number> {
  const { id } = await lock(tx, path);
  await addCredential(tx, keyring, id, body);
  await touch(tx, id);
  tx.audit('subscription', id, withoutPassword(body));
  return id;
}

export async function alterCredential(
  tx: Tx,
  keyring: Keyring,
  subscriptionId: number,
  credentialId: number,
  change: CredentialChange,
): Promise<number> {
  if (Object.keys(change).length === 0) throw invalid('', 'names nothing to change');
  const { id } = await lock(tx, { subscriptionId, customerId: undefined });
  await changeCredential(tx, keyring, id, change, credentialId);
  await touch(tx, id);
  tx.audit('subscription', id, { credential_id: credentialId, ...withoutPassword(change) });
  return id;
}

function loginChange({ user_name, password }: Pick<SubscriptionChange, 'user_name' | 'password'>): CredentialChange {
  return { ...(user_name === undefined ? {} : { user_name }), ...(password === undefined ? {} : { password }) };
}

function withoutPassword<T extends object>(body: T) {
  const { password, ...open } = body as T & { password?: unknown };
  return { ...open, password_changed: password !== undefined };
}

/** The next quarter of an hour that is at least 15 minutes ahead. */
const nextQuarter = sql`date_bin('15 minutes', now() + interval '30 minutes', 'epoch')`;
const quarterMs = 900_000;

/** A switch to another meter; the database refuses one that is too soon. Naming the present one changes nothing. */
function meterOf(found: Subscription, { meter, meter_since: text }: Pick<SubscriptionChange, 'meter' | 'meter_since'>) {
  if (meter === undefined || meter === found.meter) {
    if (text !== undefined) throw invalid('/meter_since', 'needs another meter that begins then');
    return {};
  }
  if (text === undefined) return { meter, meterSince: nextQuarter };
  const since = instantOf(text, '/meter_since');
  if (since.getTime() % quarterMs !== 0)
    throw new Problem('meter_since_refused', '/meter_since is no full quarter of an hour');
  return { meter, meterSince: since };
}

/** Places a hold; one that stands for the same reason gets the new end. */
export async function suspend(tx: Tx, path: SubscriptionPath, { reason, until }: SuspendBody): Promise<number> {
  const { id } = await lock(tx, path);
  const end = until ? instantOf(until, '/until') : null;
  await tx
    .insert(subscriptionHold)
    .values({ tenantId: tx.scope.tenantId, subscriptionId: id, reason, until: end, placedBy: tx.userId })
    .onConflictDoUpdate({
      target: [subscriptionHold.tenantId, subscriptionHold.subscriptionId, subscriptionHold.reason],
      targetWhere: isNull(subscriptionHold.liftedAt),
      set: {
        until: end,
        placedBy: tx.userId,
        since: sql`CASE WHEN ${subscriptionHold.until} <= now() THEN now() ELSE ${subscriptionHold.since} END`,
      },
    });
  await touch(tx, id);
  tx.audit('subscription', id, { reason, until: until ?? null });
  return id;
}

/** Lifts the hold of this reason, and no other. */
export async function reactivate(tx: Tx, path: SubscriptionPath, reason: HoldReason): Promise<number> {
  const { id } = await lock(tx, path);
  const lifted = await tx
    .update(subscriptionHold)
    .set({ liftedAt: sql`now()`, liftedBy: tx.userId })
    .where(
      and(
        eq(subscriptionHold.subscriptionId, id),
        eq(subscriptionHold.reason, reason),
        isNull(subscriptionHold.liftedAt),
      ),
    )
    .returning({ id: subscriptionHold.id });
  if (lifted.length === 0) throw new Problem('hold_not_standing', `no hold for ${reason} stands`);
  await touch(tx, id);
  tx.audit('subscription', id, { reason });
  return id;
}

/** Puts the subscription on the newest tariff of a service, its own or another. */
export async function move(tx: Tx, path: SubscriptionPath, serviceId: number): Promise<number> {
  const { id, tariffId: before } = await lock(tx, path);
  const tariffId = await sellable(tx, serviceId);
  await tx.update(subscription).set({ serviceId, tariffId, updatedAt: sql`now()` }).where(eq(subscription.id, id));
  tx.audit('subscription', id, { service_id: serviceId, tariff_id: tariffId, from_tariff_id: before });
  return id;
}

/** Ends the subscription for good and gives its addresses back. */
export async function terminate(tx: Tx, path: SubscriptionPath, reason: TerminationReason): Promise<number> {
  const { id } = await lock(tx, path);
  await tx
    .update(subscription)
    .set({ status: 'terminated', terminatedAt: sql`now()`, terminationReason: reason, updatedAt: sql`now()` })
    .where(eq(subscription.id, id));
  await tx
    .update(addressAssignment)
    .set({ releasedAt: sql`now()` })
    .where(and(eq(addressAssignment.subscriptionId, id), isNull(addressAssignment.releasedAt)));
  tx.audit('subscription', id, { reason });
  return id;
}

/** The subscription, locked against other changes; refused once it is terminated. */
export async function lock(tx: Tx, path: SubscriptionPath): Promise<Subscription> {
  const [found] = await tx.select().from(subscription).where(named(path)).for('update');
  if (!found) throw unknown(path);
  if (found.status === 'terminated') throw new Problem('subscription_terminated', `subscription ${found.id} has ended`);
  return found;
}

async function touch(tx: Tx, id: number): Promise<void> {
  await tx.update(subscription).set({ updatedAt: sql`now()` }).where(eq(subscription.id, id));
}

async function sellable(tx: Tx, serviceId: number): Promise<number> {
  const { service, tariff } = await serviceOf(tx, serviceId);
  if (service.status !== 'active') throw new Problem('service_inactive', `${service.name} is not sold any more`);
  return tariff.id;
}

// Adds services to the catalog and changes them. A tariff is never edited: a change makes its next version.
import { eq, sql } from 'drizzle-orm';
import { parseMoney } from '#policy/money.ts';
import type { Tx } from '../database/connect.ts';
import { invalid } from '../problem.ts';
import type { Compiled } from '../reply-attributes/contract.ts';
import { requirePolicies } from '../speed-policies/missing.ts';
import { presentTenant, type Tenant } from '../tenants/queries.ts';
import type { InternetBody, InternetChange, ServiceReply } from './contract.ts';
import { requireBps, rulesOf } from './fup-rules.ts';
import { serviceOf, showService, type Tariff } from './queries.ts';
import { service, tariff } from './schema.ts';

export async function createInternetService(tx: Tx, body: Compiled<InternetBody>): Promise<ServiceReply> {
  const tenant = await presentTenant(tx);
  const { tenantId } = tx.scope;
  const [made] = await tx
    .insert(service)
    .values({ tenantId, category: 'internet', name: body.name, description: body.description ?? '' })
    .returning();
  if (!made) throw new Error('the service was not inserted');
  const currency = body.currency ?? tenant.currency;
  const [first] = await tx
    .insert(tariff)
    .values({
      tenantId,
      serviceId: made.id,
      version: 1,
      upBps: requireBps(body.bandwidth_up, '/bandwidth_up'),
      downBps: requireBps(body.bandwidth_down, '/bandwidth_down'),
      monthlyFeeMinor: requireMoney(body.monthly_fee, currency),
      ...optionsOf(body, tenant),
      currency,
    })
    .returning();
  if (!first) throw new Error('the tariff was not inserted');
  await requirePolicies(tx, { tariffId: first.id });
  tx.audit('service', made.id, { name: made.name });
  return showService(made, first, tenant.gigabyteBytes);
}

export async function changeInternetService(
  tx: Tx,
  id: number,
  change: Compiled<InternetChange>,
): Promise<ServiceReply> {
  if (Object.keys(change).length === 0) throw invalid('', 'names nothing to change');
  const tenant = await presentTenant(tx);
  await tx.select({ id: service.id }).from(service).where(eq(service.id, id)).for('update');
  const before = await serviceOf(tx, id);
  const { name, description, status, ...tariffChange } = change;
  const [changed] = await tx
    .update(service)
    .set({
      ...(name === undefined ? {} : { name }),
      ...(description === undefined ? {} : { description }),
      ...(status === undefined ? {} : { status }),
      updatedAt: sql`now()`,
    })
    .where(eq(service.id, id))
    .returning();
  if (!changed) throw new Error('the service vanished while it was locked');
  const newest =
    Object.keys(tariffChange).length === 0 ? before.tariff : await nextVersion(tx, before.tariff, tariffChange, tenant);
  if (newest !== before.tariff || status === 'active') await requirePolicies(tx, { tariffId: newest.id });
  tx.audit('service', id, { ...change, version: newest.version });
  return showService(changed, newest, tenant.gigabyteBytes);
}

async function nextVersion(tx: Tx, before: Tariff, change: Compiled<InternetChange>, tenant: Tenant): Promise<Tariff> {
  const currency = change.currency ?? before.currency;
  if (currency !== before.currency && change.monthly_fee === undefined)
    throw invalid('/monthly_fee', 'is needed when the currency changes');
  const { id: _, createdAt: __, ...kept } = before;
  const [made] = await tx
    .insert(tariff)
    .values({
      ...kept,
      ...(change.bandwidth_up === undefined ? {} : { upBps: requireBps(change.bandwidth_up, '/bandwidth_up') }),
      ...(change.bandwidth_down === undefined ? {} : { downBps: requireBps(change.bandwidth_down, '/bandwidth_down') }),
      ...(change.monthly_fee === undefined ? {} : { monthlyFeeMinor: requireMoney(change.monthly_fee, currency) }),
      ...optionsOf(change, tenant),
      currency,
      version: before.version + 1,
    })
    .returning();
  if (!made) throw new Error('the tariff was not inserted');
  return made;
}

function optionsOf(body: Compiled<InternetChange>, tenant: Tenant) {
  return {
    ...(body.fup_rules === undefined ? {} : { fupRules: rulesOf(body.fup_rules, tenant.gigabyteBytes) }),
    ...(body.suspend_action === undefined ? {} : { suspendAction: body.suspend_action }),
    ...(body.grace_s === undefined ? {} : { graceS: body.grace_s }),
    ...(body.interim_interval_s === undefined ? {} : { interimIntervalS: body.interim_interval_s }),
    ...(body.attributes === undefined ? {} : { attributes: body.attributes }),
  };
}

function requireMoney(decimal: string, currency: string): bigint {
  const minor = parseMoney(decimal, currency);
  if (minor === undefined || minor < 0n) throw invalid('/monthly_fee', `has more decimals than ${currency}`);
  return minor;
}

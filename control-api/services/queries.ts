// Reads the catalog: each service with its newest tariff.
import { desc, eq, inArray, sql } from 'drizzle-orm';
import { mbpsOfBps } from '#policy/mbps.ts';
import { formatMoney } from '#policy/money.ts';
import type { Conn } from '../database/connect.ts';
import { inOrder, pageOf, type Search } from '../database/list.ts';
import type { ListQuery, Pagination } from '../database/list-contract.ts';
import { Problem } from '../problem.ts';
import { showAttributes } from '../reply-attributes/contract.ts';
import { presentTenant } from '../tenants/queries.ts';
import { type ServiceReply, serviceList, type TariffReply } from './contract.ts';
import { showRules } from './fup-rules.ts';
import { service, tariff } from './schema.ts';

export type Service = typeof service.$inferSelect;
export type Tariff = typeof tariff.$inferSelect;

export async function listServices(
  conn: Conn,
  query: ListQuery,
  category?: Service['category'],
): Promise<{ data: ServiceReply[]; pagination: Pagination }> {
  const search = query.search === undefined ? undefined : searchOf(query.search);
  const narrowed = category === undefined ? undefined : eq(service.category, category);
  const { ids, pagination } = await pageOf(conn, serviceList, query, search, narrowed);
  if (ids.length === 0) return { data: [], pagination };
  const { gigabyteBytes } = await presentTenant(conn);
  const rows = await conn.select().from(service).where(inArray(service.id, ids));
  const tariffs = await conn
    .selectDistinctOn([tariff.serviceId])
    .from(tariff)
    .where(inArray(tariff.serviceId, ids))
    .orderBy(tariff.serviceId, desc(tariff.version));
  const newest = new Map(tariffs.map((row) => [row.serviceId, row]));
  const data = inOrder(ids, rows).flatMap((row) => {
    const of = newest.get(row.id);
    return of ? [showService(row, of, gigabyteBytes)] : [];
  });
  return { data, pagination };
}

/** A service and its newest tariff. */
export async function serviceOf(conn: Pick<Conn, 'select'>, id: number): Promise<{ service: Service; tariff: Tariff }> {
  const [found] = await conn
    .select({ service, tariff })
    .from(service)
    .innerJoin(tariff, eq(tariff.serviceId, service.id))
    .where(eq(service.id, id))
    .orderBy(desc(tariff.version))
    .limit(1);
  if (!found) throw new Problem('service_unknown', `there is no service ${id} in the catalog`);
  return found;
}

export async function getService(conn: Conn, id: number): Promise<ServiceReply> {
  const { gigabyteBytes } = await presentTenant(conn);
  const found = await serviceOf(conn, id);
  return showService(found.service, found.tariff, gigabyteBytes);
}

export function showService(row: Service, of: Tariff, gigabyteBytes: number): ServiceReply {
  const { id, ...fields } = showTariff(of, gigabyteBytes);
  return {
    id: row.id,
    category: row.category,
    name: row.name,
    description: row.description,
    status: row.status,
    tariff_id: id,
    ...fields,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

export function showTariff(row: Tariff, gigabyteBytes: number): TariffReply {
  return {
    id: row.id,
    version: row.version,
    bandwidth_down: mbpsOfBps(row.downBps),
    bandwidth_up: mbpsOfBps(row.upBps),
    monthly_fee: formatMoney(row.monthlyFeeMinor, row.currency),
    currency: row.currency,
    fup_rules: showRules(row.fupRules, gigabyteBytes),
    suspend_action: row.suspendAction,
    grace_s: row.graceS,
    interim_interval_s: row.interimIntervalS,
    attributes: showAttributes(row.attributes),
  };
}

function searchOf(words: string): Search {
  return {
    matches: sql`position(lower(${words}::text) in lower(${service.name})) > 0`,
    exact: sql`${service.name} = ${words}::text`,
  };
}

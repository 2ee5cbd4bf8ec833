// Reads exporters of flows and what was received from them.
import { count, eq, inArray, sql } from 'drizzle-orm';
import type { ExporterTraffic } from '#ops/stores/exporter-traffic.ts';
import type { Conn, Db, PlatformScope, TenantScope } from '../database/connect.ts';
import { inOrder, pageOf } from '../database/list.ts';
import type { ListQuery, Pagination } from '../database/list-contract.ts';
import { read } from '../database/read.ts';
import type { Deps } from '../deps.ts';
import { fromLedger } from '../plugins/ledger-failure.ts';
import { Problem } from '../problem.ts';
import { type ExporterReply, type ExporterWithTraffic, exporterList, type TrafficReply } from './contract.ts';
import { exporter } from './schema.ts';

export type Exporter = typeof exporter.$inferSelect;

const platform: PlatformScope = { kind: 'platform' };

export async function listExporters(
  { db, exporterTraffic }: Pick<Deps, 'db' | 'exporterTraffic'>,
  scope: TenantScope,
  query: ListQuery,
): Promise<{ data: ExporterWithTraffic[]; pagination: Pagination }> {
  const { rows, pagination } = await read(db, scope, (conn) => exporterPage(conn, query));
  const traffic = await fromLedger(exporterTraffic);
  return { data: rows.map((row) => withTraffic(row, traffic)), pagination };
}

export async function exporterWithTraffic(
  { db, exporterTraffic }: Pick<Deps, 'db' | 'exporterTraffic'>,
  scope: TenantScope,
  id: number,
): Promise<ExporterWithTraffic> {
  const row = await read(db, scope, (conn) => exporterOf(conn, id));
  return withTraffic(row, await fromLedger(exporterTraffic));
}

export async function exporterOf(conn: Pick<Conn, 'select'>, id: number): Promise<Exporter> {
  const [found] = await conn.select().from(exporter).where(eq(exporter.id, id));
  if (!found) throw new Problem('exporter_unknown', `there is no exporter ${id}`);
  return found;
}

/** Senders that are nobody's exporter, most packets first. */
export async function unassigned({ db, exporterTraffic }: Pick<Deps, 'db' | 'exporterTraffic'>) {
  const traffic = await fromLedger(exporterTraffic);
  const strangers = (await ownersOf(db, [...traffic.keys()])).filter(({ tenantId }) => tenantId === null);
  const data = strangers.flatMap(({ sender }) => traffic.get(sender) ?? []).sort((a, b) => b.packets - a.packets);
  return { data: data.map((one) => ({ address: one.address, traffic: showTraffic(one) })) };
}

/** Of these senders those that are no exporter yet, each with the tenant it belongs to, or null. */
export async function ownersOf(
  db: Db,
  senders: readonly string[],
): Promise<{ sender: string; tenantId: number | null }[]> {
  if (senders.length === 0) return [];
  const { rows } = await read(db, platform, (conn) =>
    conn.execute<{ sender: string; tenant_id: string | null }>(
      sql`SELECT host(sender) AS sender, tenant_id FROM exporter_owners(${sql.param([...senders])}::text[]::inet[])`,
    ),
  );
  return rows.map(({ sender, tenant_id }) => ({ sender, tenantId: tenant_id === null ? null : Number(tenant_id) }));
}

export async function countDiscovered(conn: Pick<Conn, 'select'>): Promise<number> {
  const [found] = await conn.select({ n: count() }).from(exporter).where(eq(exporter.discovered, true));
  return found?.n ?? 0;
}

export function showExporter(row: Exporter): ExporterReply {
  return {
    id: row.id,
    name: row.name,
    address: row.address,
    role: row.role,
    sampling_rate: row.samplingRate,
    count_direction: row.countDirection,
    totals_are_deltas: row.totalsAreDeltas,
    discovered: row.discovered,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

async function exporterPage(conn: Conn, query: ListQuery): Promise<{ rows: Exporter[]; pagination: Pagination }> {
  const words = query.search;
  const search =
    words === undefined
      ? undefined
      : {
          matches: sql`(position(lower(${words}::text) in lower(${exporter.name})) > 0 OR host(${exporter.address}) = ${words}::text)`,
          exact: sql`(${exporter.name} = ${words}::text OR host(${exporter.address}) = ${words}::text)`,
        };
  const { ids, pagination } = await pageOf(conn, exporterList, query, search);
  const rows = ids.length === 0 ? [] : await conn.select().from(exporter).where(inArray(exporter.id, ids));
  return { rows: inOrder(ids, rows), pagination };
}

function withTraffic(row: Exporter, traffic: ReadonlyMap<string, ExporterTraffic>): ExporterWithTraffic {
  const received = traffic.get(row.address);
  return { ...showExporter(row), traffic: received ? showTraffic(received) : null };
}

function showTraffic(traffic: ExporterTraffic): TrafficReply {
  return {
    packets: traffic.packets,
    records: traffic.records,
    unknown_templates: traffic.unknownTemplates,
    late_decoded: traffic.lateDecoded,
    lost: traffic.lost,
    time_clamped: traffic.timeClamped,
    unattributed: traffic.unattributed,
    sampled: traffic.sampled,
    last_seen_at: new Date(traffic.lastSeenMs).toISOString(),
    counted_since: new Date(traffic.countedSinceMs).toISOString(),
  };
}

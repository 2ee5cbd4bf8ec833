// Makes, changes and removes exporters of flows.
import { isIP } from 'node:net';
import { eq, sql } from 'drizzle-orm';
import type { Tx } from '../database/connect.ts';
import { invalid, Problem } from '../problem.ts';
import type { ExporterBody, ExporterChange, ExporterReply } from './contract.ts';
import { showExporter } from './queries.ts';
import { exporter } from './schema.ts';

export async function createExporter(tx: Tx, body: ExporterBody): Promise<ExporterReply> {
  const address = await canonicalAddress(tx, body.address);
  const values = { tenantId: tx.scope.tenantId, name: body.name ?? address, address, ...columnsOf(body) };
  const [made] = await tx.insert(exporter).values(values).returning();
  if (!made) throw new Error('the exporter was not inserted');
  tx.audit('exporter', made.id, { name: made.name, address });
  return showExporter(made);
}

/** Senders of the tenant become exporters that only store flows. */
export async function discoverExporters(tx: Tx, senders: readonly string[]): Promise<void> {
  const { tenantId } = tx.scope;
  const values = senders.map((address) => ({ tenantId, name: address, address, discovered: true }));
  await tx.insert(exporter).values(values).onConflictDoNothing();
  tx.audit('exporter', null, { discovered: senders });
}

/** What somebody has set is discovered no more. */
export async function changeExporter(tx: Tx, id: number, change: ExporterChange): Promise<ExporterReply> {
  if (Object.keys(change).length === 0) throw invalid('', 'names nothing to change');
  const name = change.name === undefined ? {} : { name: change.name };
  const [changed] = await tx
    .update(exporter)
    .set({ ...name, ...columnsOf(change), discovered: false, updatedAt: sql`now()` })
    .where(eq(exporter.id, id))
    .returning();
  if (!changed) throw new Problem('exporter_unknown', `there is no exporter ${id}`);
  tx.audit('exporter', id, change);
  return showExporter(changed);
}

export async function removeExporter(tx: Tx, id: number): Promise<void> {
  const [removed] = await tx
    .delete(exporter)
    .where(eq(exporter.id, id))
    .returning({ address: exporter.address, name: exporter.name });
  if (!removed) throw new Problem('exporter_unknown', `there is no exporter ${id}`);
  tx.audit('exporter', id, removed);
}

function columnsOf(body: Omit<ExporterChange, 'name'>) {
  return {
    ...(body.role === undefined ? {} : { role: body.role }),
    ...(body.sampling_rate === undefined ? {} : { samplingRate: body.sampling_rate }),
    ...(body.count_direction === undefined ? {} : { countDirection: body.count_direction }),
    ...(body.totals_are_deltas === undefined ? {} : { totalsAreDeltas: body.totals_are_deltas }),
  };
}

/** As flow-collector sees the sender: an IPv4 address inside IPv6 is the IPv4 address. */
async function canonicalAddress(tx: Pick<Tx, 'execute'>, text: string): Promise<string> {
  if (isIP(text) === 0 || text.includes('%')) throw invalid('/address', 'must be an IP address');
  const { rows } = await tx.execute<{ address: string }>(sql`SELECT host(${text}::text::inet) AS address`);
  return (rows[0]?.address ?? text).replace(/^::ffff:(?=\d+\.)/, '');
}

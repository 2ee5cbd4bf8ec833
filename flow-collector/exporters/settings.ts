// What flow-collector knows of exporters from PostgreSQL.
import type { CountDirection, ExporterRole } from '#policy/flow/exporter.ts';

export type ExporterSetting = {
  readonly tenantId: number;
  readonly id: number;
  readonly address: string;
  readonly role: ExporterRole;
  readonly samplingRate: number | null;
  readonly countDirection: CountDirection;
  readonly totalsAreDeltas: boolean;
};

/** Senders at these addresses are access servers of the tenant, or beside them. */
export type TenantPrefix = { readonly tenantId: number; readonly prefix: string };

export type ExporterSettings = {
  readonly exporters: readonly ExporterSetting[];
  readonly prefixes: readonly TenantPrefix[];
};

export const noExporters: ExporterSettings = { exporters: [], prefixes: [] };

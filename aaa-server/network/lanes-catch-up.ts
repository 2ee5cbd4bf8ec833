// Whether the lanes of accounting of this node, workers and adopted logs, are behind what is on its disk, or stand at a record.
import type { Registry } from '#ops/runtime/metrics.ts';

/** What is on its way to the ledger anyway: a second of records at full load. */
const usualBacklogBytes = 4 * 1024 * 1024;

/** What the gauges of all logs say. */
export async function lanesCatchUp(registry: Pick<Registry, 'getSingleMetric'>): Promise<boolean> {
  const most = async (name: string) => {
    const { values } = (await registry.getSingleMetric(`lastmile_accounting_${name}`)?.get()) ?? { values: [] };
    return values.reduce((largest, { value }) => Math.max(largest, value), 0);
  };
  return (await most('stopped_lanes')) > 0 || (await most('backlog_bytes')) > usualBacklogBytes;
}

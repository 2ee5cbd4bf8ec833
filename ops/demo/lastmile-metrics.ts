// What the processes of Lastmile tell about themselves on their admin ports, as far as the demo wants to know it.

export type FlowCounts = { readonly records: number; readonly lost: number };

/** Bytes of accounting records on disk that the ledger has not counted; null when aaa-server does not say. */
export async function readBacklog(aaaUrl: string): Promise<number | null> {
  const values = await readMetric(aaaUrl, (line) => line.startsWith('lastmile_accounting_backlog_bytes{'));
  return values.length === 0 ? null : sumOf(values);
}

/** What flow-collector has received from these exporters since its start. */
export async function readFlowCounts(flowUrl: string, exporters: readonly string[]): Promise<FlowCounts> {
  const ours = (name: string) => (line: string) =>
    line.startsWith(`lastmile_flow_exporter_${name}_total{`) &&
    exporters.some((address) => line.includes(`exporter="${address}"`));
  const [records, lost] = await Promise.all(['records', 'lost'].map((name) => readMetric(flowUrl, ours(name))));
  return { records: sumOf(records ?? []), lost: sumOf(lost ?? []) };
}

/** Whether flow-collector has heard these exporters and knows whose they are: only then it shows them. */
export async function knowsExporters(flowUrl: string, exporters: readonly string[]): Promise<boolean> {
  const known = await Promise.all(
    exporters.map((address) =>
      readMetric(
        flowUrl,
        (line) => line.startsWith(`lastmile_flow_exporter_packets_total{`) && line.includes(`exporter="${address}"`),
      ),
    ),
  );
  return known.every((values) => values.length > 0);
}

/** The values of the lines that are chosen; none when nobody answers. */
async function readMetric(url: string, chosen: (line: string) => boolean): Promise<number[]> {
  try {
    const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(5000) });
    const lines = (await response.text()).split('\n');
    return lines.filter(chosen).map((line) => Number(line.split(' ').at(-1)));
  } catch {
    return []; // Away: shown as not told.
  }
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

export async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2000) })).ok;
  } catch {
    return false; // Not running.
  }
}

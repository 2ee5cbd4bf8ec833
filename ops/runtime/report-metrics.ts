// The metrics that workers keep in registries of their own, shown by the main thread as one.
import { Gauge, type Registry } from './metrics.ts';

export type MetricSample = {
  readonly value: number;
  readonly labels: Readonly<Partial<Record<string, string | number>>>;
  readonly metricName?: string;
};

/** A metric as `Registry.getMetricsAsJSON` gives it. */
export type MetricReport = {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly values: readonly MetricSample[];
};

export type HasMetrics = { readonly metrics: readonly MetricReport[] };

/** Everything a worker keeps in its registry, for its report. */
export async function metricsOf(registry: Registry): Promise<readonly MetricReport[]> {
  return (await registry.getMetricsAsJSON()) as unknown as MetricReport[];
}

/** Registers every metric of `known` that the main thread does not have itself; its values come from `read`, summed over the workers. */
export function registerReportMetrics(
  registry: Registry,
  known: readonly HasMetrics[],
  read: () => Promise<readonly HasMetrics[]>,
): void {
  for (const { name, help, type } of known[0]?.metrics ?? []) {
    const own = registry.getSingleMetric(name);
    if (own) registry.removeSingleMetric(name);
    registerMetric(registry, name, help, async () => {
      const ofWorkers = (await read()).flatMap(({ metrics }) => metrics.filter((metric) => metric.name === name));
      const ofMain = own ? (await own.get()).values : [];
      return { type, values: summed([...ofMain, ...ofWorkers.flatMap(({ values }) => values)]) };
    });
  }
}

/** A metric of any type whose values `read` makes; prom-client's own classes cannot take finished histograms. */
export function registerMetric(
  registry: Registry,
  name: string,
  help: string,
  read: () => Promise<Pick<MetricReport, 'type' | 'values'>>,
): void {
  const metric = new Gauge({ name, help, registers: [registry] });
  Object.assign(metric, { get: async () => ({ name, help, aggregator: 'sum', ...(await read()) }) });
}

/** One value for each name and label set. */
function summed(values: readonly MetricSample[]): MetricSample[] {
  const sums = new Map<string, MetricSample>();
  for (const sample of values) {
    const key = JSON.stringify([sample.metricName, Object.entries(sample.labels).sort(([a], [b]) => (a < b ? -1 : 1))]);
    sums.set(key, { ...sample, value: sample.value + (sums.get(key)?.value ?? 0) });
  }
  return [...sums.values()];
}

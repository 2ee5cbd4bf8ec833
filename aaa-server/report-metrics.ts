// The metrics that workers keep in registries of their own, shown by the main thread as one.
import type { Registry } from '#ops/runtime/metrics.ts';
import { registerMetric } from './counter-metrics.ts';
import type { MetricSample, WorkerReport } from './protocol.ts';

/** Registers every metric of `known` that the main thread does not have itself; its values come from `read`, summed over the workers. */
export function registerReportMetrics(
  registry: Registry,
  known: readonly WorkerReport[],
  read: () => Promise<readonly WorkerReport[]>,
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

/** One value for each name and label set. */
function summed(values: readonly MetricSample[]): MetricSample[] {
  const sums = new Map<string, MetricSample>();
  for (const sample of values) {
    const key = JSON.stringify([sample.metricName, Object.entries(sample.labels).sort(([a], [b]) => (a < b ? -1 : 1))]);
    sums.set(key, { ...sample, value: sample.value + (sums.get(key)?.value ?? 0) });
  }
  return [...sums.values()];
}

// The workers' counters as Prometheus metrics of the main thread: summed when they are asked for.
import { Counter, Gauge, type Registry } from '#ops/runtime/metrics.ts';
import { counterFamilies, durationBuckets, durationKinds, durationsOf, sumOf } from './counters.ts';
import type { MetricReport } from './protocol.ts';

export function registerCounterMetrics(registry: Registry, arrays: () => readonly Float64Array[]): void {
  for (const [family, { name, help, label, values }] of Object.entries(counterFamilies)) {
    new Counter({
      name,
      help,
      labelNames: [label],
      registers: [registry],
      collect() {
        this.reset();
        for (const value of values) this.inc({ [label]: value }, sumOf(arrays(), family as never, value as never));
      },
    });
  }
  registerMetric(
    registry,
    'lastmile_radius_handling_seconds',
    'From the receipt of a request to its decision (access) or its answer (accounting)',
    async () => durations(arrays()),
  );
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

function durations(arrays: readonly Float64Array[]): Pick<MetricReport, 'type' | 'values'> {
  const name = 'lastmile_radius_handling_seconds';
  const values = durationKinds.flatMap((kind) => {
    const { cumulative, sum } = durationsOf(arrays, kind);
    return [
      ...cumulative.map((value, i) => ({
        metricName: `${name}_bucket`,
        labels: { kind, le: durationBuckets[i] ?? '+Inf' },
        value,
      })),
      { metricName: `${name}_sum`, labels: { kind }, value: sum },
      { metricName: `${name}_count`, labels: { kind }, value: cumulative.at(-1) ?? 0 },
    ];
  });
  return { type: 'histogram', values };
}

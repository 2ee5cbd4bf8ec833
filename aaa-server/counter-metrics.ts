// The workers' counters as Prometheus metrics of the main thread: summed when they are asked for.
import type { Registry } from '#ops/runtime/metrics.ts';
import { type MetricReport, registerMetric } from '#ops/runtime/report-metrics.ts';
import { registerSharedCounters } from '#ops/runtime/shared-counters.ts';
import { counterFamilies, counterPlaces, durationBuckets, durationKinds, durationsOf } from './counters.ts';

export function registerCounterMetrics(registry: Registry, arrays: () => readonly Float64Array[]): void {
  registerSharedCounters(registry, counterFamilies, counterPlaces, arrays);
  registerMetric(
    registry,
    'lastmile_radius_handling_seconds',
    'From the receipt of a request to its decision (access) or its answer (accounting)',
    async () => durations(arrays()),
  );
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

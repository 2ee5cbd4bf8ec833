// The Prometheus registry of a process.
import { collectDefaultMetrics, Registry } from 'prom-client';
import { type Clock, systemClock } from './clock.ts';
import { registerClockMetrics } from './clock-metrics.ts';

export { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** A registry with Node's own metrics and those of the clock; every series is prefixed `lastmile_` by its definition, not here. */
export function createRegistry(processName: string, clock: Clock = systemClock): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ process: processName });
  collectDefaultMetrics({ register: registry });
  registerClockMetrics(registry, clock);
  return registry;
}

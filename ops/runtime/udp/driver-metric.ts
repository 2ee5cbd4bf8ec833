// Which UDP driver a process runs on, as a metric: `auto` may have fallen back.
import { Gauge, type Registry } from '#ops/runtime/metrics.ts';

/** @param name of the metric @param driver undefined before the sockets are open */
export function registerDriverMetric(registry: Registry, name: string, driver: () => string | undefined): void {
  new Gauge({
    name,
    help: 'The UDP driver in use: mmsg (many datagrams with one system call) or dgram (one by one)',
    labelNames: ['driver'],
    registers: [registry],
    collect() {
      this.reset();
      const inUse = driver();
      if (inUse !== undefined) this.set({ driver: inUse }, 1);
    },
  });
}

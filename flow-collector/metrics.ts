// What the process shows beside what it counts: drops of the kernel, and how many addresses it knows.
import { Counter, Gauge, type Registry } from '#ops/runtime/metrics.ts';
import { kernelDrops } from '#ops/runtime/udp/kernel-drops.ts';
import type { Workers } from './workers.ts';

export function registerCollectorMetrics(registry: Registry, workers: Pick<Workers, 'port' | 'addressCount'>): void {
  const registers = [registry];
  new Counter({
    name: 'lastmile_flow_kernel_drops_total',
    help: 'Datagrams the kernel dropped because the receive buffer of a flow socket was full (Linux)',
    registers,
    async collect() {
      const drops = await kernelDrops();
      this.reset();
      this.inc(drops.get(workers.port()) ?? 0);
    },
  });
  new Gauge({
    name: 'lastmile_flow_addresses',
    help: 'Addresses and prefixes of sessions that flows are attributed by, those of the last two hours included',
    registers,
    collect() {
      this.set(workers.addressCount());
    },
  });
}

// What the kernel dropped in front of the RADIUS sockets, as a metric.
import { Counter, type Registry } from '#ops/runtime/metrics.ts';
import { kernelDrops } from '#ops/runtime/udp/kernel-drops.ts';

export function registerKernelDropMetrics(
  registry: Registry,
  ports: () => { readonly authPort: number; readonly acctPort: number },
): void {
  new Counter({
    name: 'lastmile_radius_kernel_drops_total',
    help: 'Datagrams the kernel dropped because a receive buffer was full, by RADIUS port (Linux)',
    labelNames: ['port'],
    registers: [registry],
    async collect() {
      const drops = await kernelDrops();
      const { authPort, acctPort } = ports();
      this.reset();
      this.inc({ port: 'auth' }, drops.get(authPort) ?? 0);
      this.inc({ port: 'acct' }, drops.get(acctPort) ?? 0);
    },
  });
}

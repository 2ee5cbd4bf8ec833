// What a request costs a worker with its sockets, the kernel's share included: the load comes from a process of its own.
import type { UdpDriver } from '#ops/runtime/udp.ts';
import { startGenerator } from '../load/generator.ts';
import type { Preparation } from '../load/protocol.ts';
import { oneCore } from '../machine/placement.ts';
import type { BareWorker } from './worker.ts';

export type SocketCost = {
  /** Of this process, in all and what of it the kernel took. */
  readonly microseconds: number;
  readonly ofKernel: number;
  readonly perSecond: number;
};

export async function costOverSockets(
  worker: BareWorker,
  driver: UdpDriver,
  load: Omit<Preparation, 'port'>,
  port: 'authPort' | 'acctPort',
  seconds: number,
): Promise<SocketCost> {
  const server = await worker.listen(driver);
  const generator = startGenerator(oneCore().generator);
  try {
    await generator.prepare({ ...load, port: server.bound()[port] });
    let started = process.cpuUsage();
    let used = started;
    const { perSecond, seconds: measured } = await generator.run(
      { warmUpMs: 1000, measureMs: seconds * 1000, perSecond: null },
      {
        begins() {
          started = process.cpuUsage();
        },
        ends() {
          used = process.cpuUsage(started);
        },
      },
    );
    const requests = perSecond * measured;
    return { microseconds: (used.user + used.system) / requests, ofKernel: used.system / requests, perSecond };
  } finally {
    await generator.stop();
    await server.stop();
  }
}

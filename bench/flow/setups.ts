// Who is measured, one after the other: Lastmile alone on one core, with ClickHouse on two, and the peers.
import path from 'node:path';
import { startFlowCollector } from '../lastmile/flow-collector.ts';
import { createLastmile, type LastmileTarget } from '../lastmile/lastmile.ts';
import { bringOnline } from '../lastmile/online.ts';
import { oneCore, twoCores } from '../machine/placement.ts';
import type { BenchOptions } from '../options.ts';
import { createNfacctd } from '../peers/flow/nfacctd.ts';
import { createNfcapd } from '../peers/flow/nfcapd.ts';
import type { FlowCollector } from './collector.ts';

export type FlowSetup = {
  readonly name: string;
  start(): Promise<FlowCollector>;
  /** What was started beside the collector. */
  end(): Promise<void>;
};

/** Asked for by every collector; the kernel's net.core.rmem_max may grant less, to all alike. */
const receiveBufferBytes = 8 * 1024 * 1024;
export const exporters = 4;

export function flowSetups(
  { folder, subscribers, quick, profiles }: BenchOptions,
  say: (line: string) => void,
): FlowSetup[] {
  const lastmile = createLastmile(path.join(folder, 'lastmile'), subscribers, say, profiles);
  let target: LastmileTarget | undefined;
  const online = async () => {
    target ??= await startOnline();
    return target;
  };

  async function startOnline(): Promise<LastmileTarget> {
    const started = await lastmile.start(1);
    for (let exporter = 1; exporter <= exporters; exporter++) {
      const address = `127.0.1.${exporter}`;
      await started.stack.api('POST', '/exporters', { name: `bench ${exporter}`, address, role: 'edge' });
    }
    say(`bringing ${subscribers} subscribers online`);
    await bringOnline(started, subscribers);
    return started;
  }

  const shared = { folder, profiles, receiveBufferBytes, addresses: subscribers };
  const alone = { ...shared, workers: 1, placement: oneCore(), clickhouse: false };
  const withClickHouse = { ...shared, workers: quick ? 1 : 2, placement: twoCores(), clickhouse: true };
  const nothing = async () => undefined;
  return [
    { name: 'Lastmile', start: async () => startFlowCollector(await online(), alone), end: nothing },
    {
      name: 'Lastmile with ClickHouse',
      start: async () => startFlowCollector(await online(), withClickHouse),
      end: lastmile.remove,
    },
    { name: 'nfcapd', start: async () => createNfcapd(folder, receiveBufferBytes), end: nothing },
    { name: 'nfacctd', start: async () => createNfacctd(folder, receiveBufferBytes), end: nothing },
  ];
}

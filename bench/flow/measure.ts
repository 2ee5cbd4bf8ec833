// Measures one collector with one kind of datagrams: the highest rate without a drop and without a loss, and what it costs.
import { setTimeout as delay } from 'node:timers/promises';
import { type Placement, place, release } from '../machine/placement.ts';
import { cpuSecondsOf, descendantsOf } from '../machine/processes.ts';
import { udpState } from '../machine/udp-drops.ts';
import { median } from '../report/units.ts';
import type { FlowCollector } from './collector.ts';
import type { FlowLoad, Sent } from './protocol.ts';
import { highestRate } from './search.ts';
import { startSender } from './sender.ts';

export type FlowMeasurement = {
  readonly collector: string;
  readonly does: string;
  readonly case: string;
  readonly cores: Placement['name'];
  readonly datagramsPerSecond: number;
  readonly flowsPerSecond: number;
  readonly limitedBySender: boolean;
  /** Medians of the trials that confirmed it. */
  readonly flowsPerCoreSecond: number;
  readonly senderCores: number;
  readonly trials: readonly FlowTrial[];
};

export type FlowTrial = {
  readonly askedPerSecond: number;
  readonly confirming: boolean;
  readonly sent: Sent;
  /** By the kernel, for want of room in the socket's buffer. */
  readonly dropped: number;
  /** That the collector has in the end. */
  readonly flows: number;
  readonly flowBytes: number;
  /** CPU time of the collector until it had worked off everything. */
  readonly collectorSeconds: number;
};

export type FlowCase = { readonly title: string; readonly load: FlowLoad; readonly firstPerSecond: number };

export type FlowOptions = {
  readonly runs: number;
  readonly seconds: number;
  readonly mostPerSecond: number;
  readonly precision: number;
};

export async function measureFlows(
  collector: FlowCollector,
  { title, load, firstPerSecond }: FlowCase,
  { runs, seconds, mostPerSecond, precision }: FlowOptions,
): Promise<FlowMeasurement> {
  const { placement } = collector;
  const sender = startSender(placement.generator);
  const trials: FlowTrial[] = [];
  try {
    await sender.prepare(load);
    const found = await highestRate(
      async (askedPerSecond, confirming) => {
        const trial = await collector.begin();
        place(placement, sender.pid);
        const collectors = descendantsOf(process.pid, [sender.pid]);
        const cpuBefore = cpuSecondsOf(collectors);
        const droppedBefore = udpState(trial.port).dropped;
        const sent = await sender.send(trial.port, askedPerSecond, confirming ? seconds : seconds / 2);
        await trial.settled();
        const collectorSeconds = cpuSecondsOf(collectors) - cpuBefore;
        const dropped = udpState(trial.port).dropped - droppedBefore;
        release();
        const { flows, flowBytes } = await trial.end();
        if (flows > sent.flows || flowBytes > sent.flowBytes) {
          throw new Error(
            `${collector.name} has ${flows} flows of ${flowBytes} bytes, but was sent ${sent.flows} of ${sent.flowBytes}`,
          );
        }
        trials.push({ askedPerSecond, confirming, sent, dropped, flows, flowBytes, collectorSeconds });
        // Sockets of the next trial must not find the last one's memory still in use.
        await delay(100);
        const kept = dropped === 0 && flows === sent.flows && flowBytes === sent.flowBytes;
        return { kept, reached: sent.datagrams / sent.seconds };
      },
      { first: firstPerSecond, most: mostPerSecond, confirmations: runs, precision },
    );
    const confirmed = trials.slice(-runs);
    return {
      collector: collector.name,
      does: collector.does,
      case: title,
      cores: placement.name,
      datagramsPerSecond: found.perSecond,
      flowsPerSecond: found.perSecond * load.recordsEach,
      limitedBySender: found.limitedBySender,
      flowsPerCoreSecond: median(confirmed.map(({ flows, collectorSeconds }) => flows / collectorSeconds)),
      senderCores: median(confirmed.map(({ sent }) => sent.cores)),
      trials,
    };
  } finally {
    await sender.stop();
    release();
  }
}

// Which datagrams are sent.
import type { BenchOptions } from '../options.ts';
import type { FlowCase } from './measure.ts';
import { exporters } from './setups.ts';

/** One flow in a datagram shows what a datagram costs, a full one what a flow costs. */
export function flowCases({ subscribers, quick }: BenchOptions): FlowCase[] {
  const shared = { exporters, datagrams: quick ? 64 : 2048, subscribers };
  const firstPerSecond = quick ? 500 : 20_000;
  const cases: FlowCase[] = [
    { title: 'v9, 26 flows', load: { ...shared, format: 'v9', recordsEach: 26 }, firstPerSecond },
    { title: 'v9, 1 flow', load: { ...shared, format: 'v9', recordsEach: 1 }, firstPerSecond },
    { title: 'v5, 30 flows', load: { ...shared, format: 'v5', recordsEach: 30 }, firstPerSecond },
  ];
  return cases;
}

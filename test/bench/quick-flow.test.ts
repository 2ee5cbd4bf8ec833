// bench:flow at its smallest: sender and collectors work, and what they counted is what was sent. Says nothing about speed.
import t from 'tap';
import { isLong } from '#test/support/effort.ts';
import { missing } from '#test/support/peers.ts';
import { quickRun } from './quick-run.ts';

type FlowTrial = { sent: { flows: number; flowBytes: number }; dropped: number; flows: number; flowBytes: number };
type MeasuredFlows = { collector: string; case: string; flowsPerSecond: number; trials: FlowTrial[] };

t.setTimeout(290_000);

t.test(
  'bench:flow counts in the collectors exactly what was sent',
  {
    timeout: 280_000,
    skip: isLong
      ? missing('taskset', 'redis-server', 'nfdump', 'pmacct')
      : 'a run takes two minutes: npm run test:long',
  },
  async (t) => {
    const { measured } = (await quickRun('flow')) as { measured: MeasuredFlows[] };
    const kinds = ['v9, 26 flows', 'v9, 1 flow', 'v5, 30 flows'];
    t.strictSame(
      measured.map((row) => `${row.collector}: ${row.case}`),
      ['Lastmile', 'Lastmile', 'nfcapd', 'nfacctd'].flatMap((collector) =>
        kinds.map((kind) => `${collector}: ${kind}`),
      ),
    );
    for (const { collector, case: title, flowsPerSecond, trials } of measured) {
      t.ok(flowsPerSecond > 0, `${collector}, ${title}: a rate is found`);
      const kept = trials.filter(({ dropped }) => dropped === 0);
      t.ok(kept.length > 0 && kept.every(({ sent }) => sent.flows > 0));
      t.strictSame(
        kept.map(({ flows, flowBytes }) => ({ flows, flowBytes })),
        kept.map(({ sent: { flows, flowBytes } }) => ({ flows, flowBytes })),
        `${collector}, ${title}: flows and bytes are those that were sent`,
      );
    }
  },
);

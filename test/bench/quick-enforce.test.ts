// bench:enforce at its smallest: crossings reach the access server. Says nothing about speed.
import t from 'tap';
import { isLong } from '#test/support/effort.ts';
import { missing } from '#test/support/peers.ts';
import { quickRun } from './quick-run.ts';

type Enforced = {
  case: string;
  crossings: number;
  acknowledged: number;
  lagMs: { p50: number; max: number };
  leakedBytes: { total: number };
};

t.setTimeout(290_000);

t.test(
  'bench:enforce sees every crossing slowed down by a verified CoA',
  {
    timeout: 280_000,
    skip: isLong ? missing('taskset', 'redis-server') : 'a run takes two minutes: npm run test:long',
  },
  async (t) => {
    const { measured } = (await quickRun('enforce')) as { measured: Enforced[] };
    t.strictSame(
      measured.map((row) => row.case),
      ['alone', 'half of what is counted'],
    );
    for (const { case: title, crossings, acknowledged, lagMs, leakedBytes } of measured) {
      t.equal(crossings, 10, title);
      t.ok(acknowledged >= crossings, `${title}: ${acknowledged} changes are acknowledged`);
      t.ok(lagMs.p50 > 0 && lagMs.max >= lagMs.p50 && leakedBytes.total > 0, `${title}: ${JSON.stringify(lagMs)}`);
    }
  },
);

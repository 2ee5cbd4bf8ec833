// Who is measured in which cases, one server after the other, on the same cores.
import path from 'node:path';
import { giveAddresses } from '../lastmile/addresses.ts';
import { createLastmile } from '../lastmile/lastmile.ts';
import type { BenchOptions } from '../options.ts';
import {
  startWithDetailFile,
  startWithPool,
  startWithPostgres,
  startWithUsersFile,
} from '../peers/freeradius/targets.ts';
import { type RadiusCase, radiusCases } from './cases.ts';
import { measure } from './measure.ts';
import type { Target } from './target.ts';

export type Setup = {
  readonly name: string;
  start(): Promise<Target>;
  readonly cases: readonly RadiusCase[];
  /** After the cases, what it takes with every subscriber online. */
  readonly footprint?: true;
  /** As many as there are, where that differs. */
  readonly subscribers?: number;
};

/** Where nobody may log in twice, ten seconds of warming up and every run take so many times more subscribers. */
const manyTimes = 4;

/** `end` removes what the servers leave behind. */
export function radiusSetups(
  { folder, subscribers, quick, profiles }: BenchOptions,
  say: (line: string) => void,
): { setups: readonly Setup[]; end(): Promise<void> } {
  const { one, onePort, chap, two, network, acctOne, acctTwo } = radiusCases();
  const lastmile = createLastmile(path.join(folder, 'lastmile'), subscribers, say, profiles);
  const many = subscribers * manyTimes;
  // Nobody may be online yet who would be refused a second session.
  const pooled = createLastmile(path.join(folder, 'lastmile-pooled'), many, say, profiles);
  const peers = { folder, subscribers };
  const withPool: Setup[] = [
    {
      name: 'Lastmile, pool and session limit',
      async start() {
        // With all lines always full Redis takes longer than an operator would let it: the latency shows it.
        const target = await pooled.start(2, { LOGIN_LEDGER_MS: '2000' });
        // Each password is proven once, as in all other cases.
        await measure(
          target,
          { ...two, title: 'PAP, before there is a pool' },
          { runs: 1, seconds: 1, subscribers: many },
        );
        await giveAddresses(target);
        return target;
      },
      cases: [network],
      subscribers: many,
    },
    {
      name: 'FreeRADIUS, pool and session limit',
      start: () => startWithPool({ folder, subscribers: many }),
      cases: [network],
      subscribers: many,
    },
  ];
  const setups: Setup[] = quick
    ? [
        { name: 'Lastmile, 2 workers', start: () => lastmile.start(2), cases: [one, chap, acctOne], footprint: true },
        { name: 'FreeRADIUS, users file', start: () => startWithUsersFile(peers), cases: [onePort, chap] },
        { name: 'FreeRADIUS, PostgreSQL', start: () => startWithPostgres(peers), cases: [two, acctTwo] },
        { name: 'FreeRADIUS, detail file', start: () => startWithDetailFile(peers), cases: [acctOne] },
      ]
    : [
        {
          name: 'Lastmile, 1 worker',
          start: () => lastmile.start(1),
          cases: [one, onePort, chap, two, acctOne, acctTwo],
        },
        { name: 'Lastmile, 2 workers', start: () => lastmile.start(2), cases: [two, acctTwo], footprint: true },
        { name: 'FreeRADIUS, users file', start: () => startWithUsersFile(peers), cases: [one, onePort, chap, two] },
        { name: 'FreeRADIUS, PostgreSQL', start: () => startWithPostgres(peers), cases: [one, two, acctOne, acctTwo] },
        { name: 'FreeRADIUS, detail file', start: () => startWithDetailFile(peers), cases: [acctOne, acctTwo] },
      ];
  async function end(): Promise<void> {
    await lastmile.remove();
    await pooled.remove();
  }
  return { setups: [...setups, ...withPool], end };
}

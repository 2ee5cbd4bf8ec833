// The tables of bench:radius.

import type { Footprint } from '../lastmile/footprint.ts';
import { type Column, table } from '../report/table.ts';
import { bytes, cores, milliseconds, rate } from '../report/units.ts';
import { commonPerSecond, type Measurement, type Paced } from './measure.ts';

/** The generator's core is busier than this: the server might do more. */
const generatorIsTheLimit = 0.9;

export function radiusTables(
  measured: readonly Measurement[],
  footprints: readonly Footprint[],
  echo: Measurement,
): string {
  const logins = measured.filter(({ durability }) => durability === null);
  const accounting = measured.filter(({ durability }) => durability !== null);
  return [
    '**Logins**: Message-Authenticator verified in every request and signed in every reply.',
    '',
    table([...common, ...paced, ...cost], byCase(logins)),
    '',
    '**Accounting**: every record another one (Start, two interims, Stop).',
    '',
    table([...common, counted, ...paced, ...cost, durable], byCase(accounting)),
    '',
    ...(footprints.length > 0
      ? ['**Every subscriber online**, after all of the above:', '', table(footprintColumns, footprints), '']
      : []),
    `The generator alone, against an echo on the other core: ${rate(echo.perSecond)}/s with ${cores(echo.generatorCores)} cores of its own; p99 at half of that ${p99(echo.halfLoad)} ms, at ${rate(commonPerSecond)}/s ${p99(echo.commonLoad)} ms, below which no server can be seen.`,
    '≥: the generator was the limit, the server may do more.',
  ].join('\n');
}

const common: readonly Column<Measurement>[] = [
  { title: 'case', cell: ({ case: title, cores: where }) => `${title}, ${where}` },
  { title: 'server', cell: ({ server }) => server },
  { title: 'per second', right: true, cell: (row) => `${isLimited(row) ? '≥ ' : ''}${rate(row.perSecond)}` },
  { title: 'p50 ms', right: true, cell: ({ latencyMs }) => milliseconds(latencyMs.p50) },
  { title: 'p99 ms', right: true, cell: ({ latencyMs }) => milliseconds(latencyMs.p99) },
  { title: 'p99.9 ms', right: true, cell: ({ latencyMs }) => milliseconds(latencyMs.p999) },
];
const counted: Column<Measurement> = {
  title: 'counted per second',
  right: true,
  cell: ({ countedPerSecond }) => (countedPerSecond === null ? '–' : rate(countedPerSecond)),
};
const p99 = (load: Paced | null) => (load === null ? '' : milliseconds(load.latencyMs.p99));
const paced: readonly Column<Measurement>[] = [
  { title: 'p99 ms at half load', right: true, cell: (row) => p99(row.halfLoad) },
  { title: `p99 ms at ${rate(commonPerSecond)}/s`, right: true, cell: (row) => p99(row.commonLoad) },
];
const cost: readonly Column<Measurement>[] = [
  { title: 'server cores', right: true, cell: ({ serverCores }) => cores(serverCores) },
  { title: 'per core-second', right: true, cell: ({ perSecond, serverCores }) => rate(perSecond / serverCores) },
  { title: 'generator cores', right: true, cell: ({ generatorCores }) => cores(generatorCores) },
  {
    title: 'repeated, lost',
    right: true,
    cell: ({ runs }) => `${sum(runs.map(({ total }) => total.retried))}, ${sum(runs.map(({ total }) => total.lost))}`,
  },
];
const durable: Column<Measurement> = { title: 'certain at the answer', cell: ({ durability }) => durability ?? '' };

const footprintColumns: readonly Column<Footprint>[] = [
  { title: 'server', cell: ({ server }) => server },
  { title: 'subscribers', right: true, cell: ({ subscribers }) => rate(subscribers) },
  { title: 'sessions open', right: true, cell: ({ sessions }) => rate(sessions) },
  { title: 'RssAnon of aaa-server', right: true, cell: ({ rssAnonBytes }) => bytes(rssAnonBytes) },
  { title: 'started anew, to its first Access-Accept', right: true, cell: ({ startMs }) => `${rate(startMs)} ms` },
];

const isLimited = ({ cores: where, generatorCores }: Measurement) =>
  where === 'one core' && generatorCores > generatorIsTheLimit;

function byCase(rows: readonly Measurement[]): Measurement[] {
  const key = (row: Measurement) => `${row.case}, ${row.cores}`;
  const order = [...new Set(rows.map(key))];
  return rows.toSorted((a, b) => order.indexOf(key(a)) - order.indexOf(key(b)));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

// The tables of bench:storm.
import { type Column, table } from '../report/table.ts';
import { cores, rate } from '../report/units.ts';
import type { StormMeasurement } from './measure.ts';
import type { StormWindow } from './protocol.ts';

export function stormTables(measured: readonly StormMeasurement[]): string {
  return [
    table(rows, measured),
    '',
    '**What came of the repetitions**: requests that the server got more than once, or answered for nobody.',
    '',
    table(costs, measured),
    '',
    '**Second by second**: logins answered in time / too late, Starts acknowledged.',
    '',
    ...measured.map((row) => `${row.server}: ${course(row.windows)}`),
  ].join('\n');
}

const seconds = (ms: number | null) => (ms === null ? 'not' : (ms / 1000).toFixed(ms < 10_000 ? 2 : 1));
const percent = (share: number) => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;

const rows: readonly Column<StormMeasurement>[] = [
  { title: 'server', cell: ({ server }) => server },
  { title: 'capacity, logins/s', right: true, cell: (row) => rate(row.capacityPerSecond) },
  {
    title: 'all online after s',
    right: true,
    cell: ({ seconds: all, quick, slow, online }) => {
      const missing = quick.subscribers + slow.subscribers - online;
      return missing === 0 ? seconds(all * 1000) : `not within ${Math.round(all)}: ${count(missing)} missing`;
    },
  },
  { title: '90 % with quick passwords, s', right: true, cell: ({ quick }) => seconds(quick.ninetyPercentMs) },
  { title: 'goodput until then', right: true, cell: ({ goodputShare }) => `${percent(goodputShare)} of the capacity` },
  { title: 'quick p50, p99 s', right: true, cell: ({ quick }) => `${seconds(quick.p50)}, ${seconds(quick.p99)}` },
  { title: 'slow p50, p99 s', right: true, cell: ({ slow }) => `${seconds(slow.p50)}, ${seconds(slow.p99)}` },
  { title: 'Start acknowledged, p99 s', right: true, cell: ({ startMs }) => seconds(startMs.p99) },
  { title: 'server cores', right: true, cell: ({ serverCores }) => cores(serverCores) },
];

const costs: readonly Column<StormMeasurement>[] = [
  { title: 'server', cell: ({ server }) => server },
  { title: 'login requests', right: true, cell: ({ logins }) => count(logins.requests) },
  { title: 'repeated', right: true, cell: ({ logins }) => count(logins.repeated) },
  { title: 'given up', right: true, cell: ({ logins }) => count(logins.givenUp) },
  { title: 'answered too late', right: true, cell: (row) => `${count(row.logins.late)} (${percent(row.wastedShare)})` },
  { title: 'answered twice', right: true, cell: ({ logins }) => count(logins.again) },
  { title: 'most waiting in the kernel', right: true, cell: ({ windows }) => `${kilobytes(windows)} kB` },
  { title: 'dropped there', right: true, cell: ({ dropped }) => count(dropped.logins) },
  {
    title: 'turned away: overload, hashes, other',
    right: true,
    cell: ({ unanswered }) =>
      unanswered
        ? `${count(unanswered.overload)}, ${count(unanswered.hashBusy)}, ${count(unanswered.all - unanswered.overload - unanswered.hashBusy)}`
        : '–',
  },
  { title: 'Starts repeated', right: true, cell: ({ starts }) => count(starts.repeated) },
  { title: 'Starts without an answer', right: true, cell: ({ online, reported }) => count(online - reported) },
  {
    title: 'interims/s: mean, busiest at first, after an hour',
    right: true,
    cell: ({ interims }) =>
      interims
        ? `${rate(interims.meanPerSecond)}, ${count(interims.busiestFirst)}, ${count(interims.busiestAfterAnHour)}`
        : '–',
  },
];

const count = (value: number) => value.toLocaleString('en-US');

function kilobytes(windows: readonly StormWindow[]): string {
  return count(Math.round(windows.reduce((most, { waitingBytes }) => Math.max(most, waitingBytes), 0) / 1000));
}

const mostSeconds = 40;

function course(windows: readonly StormWindow[]): string {
  const bySecond = Map.groupBy(windows, ({ fromMs }) => Math.floor(fromMs / 1000));
  const sum = (list: readonly StormWindow[], of: (window: StormWindow) => number) =>
    list.reduce((total, window) => total + of(window), 0);
  const texts = [...bySecond].map(([, list]) => {
    const late = sum(list, (window) => window.late);
    return `${sum(list, (window) => window.online)}${late > 0 ? `/${late}` : ''} +${sum(list, (window) => window.reported)}`;
  });
  const shown = texts.slice(0, mostSeconds).join(', ');
  return texts.length > mostSeconds ? `${shown}, … (${texts.length} s)` : shown;
}

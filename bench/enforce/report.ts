// The table of bench:enforce.

import { type Column, table } from '../report/table.ts';
import { bytes, milliseconds, rate } from '../report/units.ts';
import type { Enforced } from './measure.ts';

export function enforceTable(measured: readonly Enforced[]): string {
  return [
    'From the accounting packet that reports more than the threshold to the CoA-Request at the access server, verified there, then acknowledged.',
    '*Leaked*: what a subscriber at the full speed of the tariff uses meanwhile; what was used since the last report before comes on top, by the interim interval.',
    'No peer: FreeRADIUS sees a threshold at the next login or by scripts that poll its database.',
    '',
    table(columns, measured),
  ].join('\n');
}

const columns: readonly Column<Enforced>[] = [
  { title: 'case', cell: ({ case: title, cores }) => `${title}, ${cores}` },
  { title: 'records per second beside', right: true, cell: ({ load }) => (load === 0 ? '0' : rate(load)) },
  { title: 'crossings', right: true, cell: ({ crossings }) => String(crossings) },
  { title: 'p50 ms', right: true, cell: ({ lagMs }) => milliseconds(lagMs.p50) },
  { title: 'p99 ms', right: true, cell: ({ lagMs }) => milliseconds(lagMs.p99) },
  { title: 'max ms', right: true, cell: ({ lagMs }) => milliseconds(lagMs.max) },
  { title: 'leaked p50', right: true, cell: ({ leakedBytes }) => bytes(leakedBytes.p50) },
  { title: 'leaked p99', right: true, cell: ({ leakedBytes }) => bytes(leakedBytes.p99) },
  { title: 'leaked in all', right: true, cell: ({ leakedBytes }) => bytes(leakedBytes.total) },
];

// The table of bench:flow.

import { type Column, table } from '../report/table.ts';
import { cores, rate } from '../report/units.ts';
import type { FlowMeasurement } from './measure.ts';

export function flowTable(measured: readonly FlowMeasurement[]): string {
  return [
    'The highest rate at which the kernel dropped nothing and the collector has every flow and byte that was sent.',
    '',
    table(
      columns,
      measured.toSorted((a, b) => order(measured, a) - order(measured, b)),
    ),
    '',
    '≥: the sender was the limit, the collector may keep up with more.',
  ].join('\n');
}

const columns: readonly Column<FlowMeasurement>[] = [
  { title: 'datagrams', cell: (row) => `${row.case}, ${row.cores}` },
  { title: 'collector', cell: ({ collector }) => collector },
  { title: 'does', cell: ({ does }) => does },
  { title: 'datagrams per second', right: true, cell: (row) => atLeast(row, row.datagramsPerSecond) },
  { title: 'flows per second', right: true, cell: (row) => atLeast(row, row.flowsPerSecond) },
  { title: 'flows per core-second', right: true, cell: ({ flowsPerCoreSecond }) => rate(flowsPerCoreSecond) },
  { title: 'sender cores', right: true, cell: ({ senderCores }) => cores(senderCores) },
];

function atLeast({ limitedBySender }: FlowMeasurement, value: number): string {
  return `${limitedBySender ? '≥ ' : ''}${rate(value)}`;
}

/** Cases in the order in which they came first, whoever was measured in them. */
function order(all: readonly FlowMeasurement[], { case: title }: FlowMeasurement): number {
  return all.findIndex((row) => row.case === title);
}

// The second row of a record that counts both directions of a connection (elements 231 and 232): the way back.
import { type BlankColumn, blankColumns, type FlowColumns, flowDirection } from './columns.ts';

/** Columns of the way back that may hold something though the record's own do not. */
export const turnedColumns = [
  'srcNatPort',
  'dstNatPort',
  'inIf',
  'outIf',
  'srcAs',
  'dstAs',
  'srcPort',
  'dstPort',
  'bytes',
  'packets',
] as const satisfies readonly BlankColumn[];

const opposite = [flowDirection.notTold, flowDirection.egress, flowDirection.ingress];

/**
 * Writes row `row + 1` as the way back of row `row`; the caller knows that there is room. Translation is turned round as well: an answer
 * arrives at the address that the question left with, and is delivered to the one that it came from. Between address families (NAT64) the
 * way back is written untranslated.
 */
export function appendReverse(columns: FlowColumns, row: number, bytes: number, packets: number): void {
  const back = row + 1;
  for (const name of ['exporter', 'version', 'receivedAt', 'startedAt', 'endedAt', 'samplingRate', 'family'] as const) {
    columns[name][back] = columns[name][row] as number;
  }
  for (const name of blankColumns) columns[name][back] = columns[name][row] as number;
  columns.bytes[back] = bytes;
  columns.packets[back] = packets;
  columns.direction[back] = opposite[columns.direction[row] as number] as number;
  swap(columns.inIf, columns.outIf, back);
  swap(columns.srcAs, columns.dstAs, back);
  turn(columns.srcPort, columns.dstPort, columns.srcNatPort, columns.dstNatPort, 1, row, 1);
  const family = columns.family[row];
  const translated = columns.natFamily[row] === family ? 1 : 0;
  if (!translated) columns.natFamily[back] = 0;
  if (family === 4) turn(columns.src4, columns.dst4, columns.srcNat4, columns.dstNat4, 1, row, translated);
  else turn(columns.src6, columns.dst6, columns.srcNat6, columns.dstNat6, 4, row, translated);
}

type Numbers = Uint16Array | Uint32Array;

function swap(a: Numbers, b: Numbers, row: number): void {
  const was = a[row] as number;
  a[row] = b[row] as number;
  b[row] = was;
}

/** `size` elements a row. A translated value of zeros was not told: nothing was translated there. */
function turn(src: Numbers, dst: Numbers, srcNat: Numbers, dstNat: Numbers, size: number, row: number, nat: 0 | 1) {
  turnEnd(dst, dstNat, src, srcNat, size, row, nat);
  turnEnd(src, srcNat, dst, dstNat, size, row, nat);
}

function turnEnd(was: Numbers, wasNat: Numbers, is: Numbers, isNat: Numbers, size: number, row: number, nat: 0 | 1) {
  const from = row * size;
  const to = from + size;
  const told = nat === 1 && wasNat.subarray(from, to).some((word) => word !== 0);
  for (let i = from; i < to; i++) {
    is[i + size] = (told ? wasNat[i] : was[i]) as number;
    isNat[i + size] = told ? (was[i] as number) : 0;
  }
}

// Compiles a template into the function that reads its records straight from the receive buffer into the columns, with no object per flow.
import { type BlankColumn, blankColumns, type FlowColumns, flag } from './columns.ts';
import { countIndex } from './counts.ts';
import { timeElements } from './elements.ts';
import type { FirewallUpdates } from './firewall-updates.ts';
import type { Frame } from './frame.ts';
import { type Field, type Layout, layOut } from './layout.ts';
import { appendReverse, turnedColumns } from './reverse.ts';

/**
 * Reads records from `at` on while they end before `end` and the columns have room; returns where it stopped. Nothing outside [at, end) is read.
 */
type ReadRecords = (view: DataView, at: number, end: number, frame: Frame) => number;

export type Program = {
  readonly read: ReadRecords;
  /** Octets of the shortest record: 0 = its sets cannot be read. */
  readonly minLength: number;
  /** Rows a record may give: the columns need room for them. */
  readonly rowsPerRecord: 1 | 2;
  /** What its rows name; the rates of those that name something are still to be assigned: `samplingRate` is the rate told or 0. */
  readonly names: 'sampler' | 'rate' | 'nothing';
};

/**
 * Makes every source text different: V8 keeps code compiled from text that it has seen before for some collections more, beyond the bound on
 * layouts, when a flood brings the same ones again and again.
 */
let compiled = 0;

/** A flow further than this from the time of receipt has a wrong clock: ms. */
const maxSkewMs = 86_400_000;

/**
 * Only numbers that `layOut` has checked and the constant text of this folder get into the function's source.
 * @throws RangeError for a field whose number or length has more than 16 bits.
 */
export function compileTemplate(
  fields: readonly Field[],
  totalsAreDeltas: boolean,
  columns: FlowColumns,
  updates: FirewallUpdates,
): Program {
  const layout = layOut(fields);
  if (layout.minLength === 0)
    return { read: (_view, _at, end) => end, minLength: 0, rowsPerRecord: 1, names: 'nothing' };
  const totals = { bytes: layout.numbers('totalBytes'), packets: layout.numbers('totalPackets') };
  const forward = {
    bytes: [...layout.numbers('initiatorBytes'), ...layout.numbers('bytes'), ...(totalsAreDeltas ? totals.bytes : [])],
    packets: [
      ...layout.numbers('initiatorPackets'),
      ...layout.numbers('packets'),
      ...(totalsAreDeltas ? totals.packets : []),
    ],
  };
  const back = { bytes: layout.numbers('responderBytes'), packets: layout.numbers('responderPackets') };
  const hasCounter = [forward, back].some(({ bytes, packets }) => bytes.length + packets.length > 0);
  const hasTotal = totals.bytes.length + totals.packets.length > 0;
  const hasAddress = (['src4', 'dst4', 'src6', 'dst6'] as const).some((name) => layout.address(name));
  const isFlow = hasCounter && hasAddress;
  const rowsPerRecord = isFlow && back.bytes.length + back.packets.length > 0 ? 2 : 1;
  const namesRate = layout.numbers('samplingRate').length > 0 ? 'rate' : 'nothing';
  const names = layout.numbers('sampler').length > 0 ? 'sampler' : namesRate;

  const written = new Set<BlankColumn>(['flags']);
  const body = isFlow
    ? flowStatements(layout, forward, back, names, written)
    : `${hasAddress && hasTotal ? 'totalsIgnored' : 'notAFlow'}++;`;
  const mask = [...written].reduce((bits, name) => bits | (1 << blankColumns.indexOf(name)), 0);
  const source = `'use strict';
const { ${rowColumns.join(', ')}, ${blankColumns.join(', ')} } = columns;
return function readRecords(view, at, end, frame) {
  const received = frame.receivedAtMs, exportedAt = frame.exportedAtMs, uptime = frame.uptimeMs | 0;
  const oldest = received - ${maxSkewMs}, newest = received + ${maxSkewMs};
  const exporterIndex = frame.exporter.index, protocolVersion = frame.version, rate = frame.samplingRate, initial = frame.flags;
  const before = columns.count, limit = columns.capacity - ${rowsPerRecord - 1};
  let n = before, records = 0, clamped = 0, wide = 0, natEvents = 0, firewallEvents = 0, notAFlow = 0, totalsIgnored = 0, h = 0;
  while (at + ${layout.minLength} <= end && n < limit) {
    ${layout.locate}
    records++;
    ${eventStatements(layout)}
    ${body}
    at = next;
  }
  columns.count = n;
  columns.written |= ${mask};
  const counts = frame.exporter.counts;
  counts[${countIndex.records}] += records;
  counts[${countIndex.flows}] += n - before;
  if (clamped > 0) counts[${countIndex.time_clamped}] += clamped;
  if (wide > 0) counts[${countIndex.counter_clamped}] += wide;
  if (natEvents > 0) counts[${countIndex.nat_event}] += natEvents;
  if (firewallEvents > 0) counts[${countIndex.firewall_event}] += firewallEvents;
  if (notAFlow > 0) counts[${countIndex.not_a_flow}] += notAFlow;
  if (totalsIgnored > 0) counts[${countIndex.totals_ignored}] += totalsIgnored;
  return at;
} // ${++compiled}`;
  const read = new Function('columns', 'updates', 'appendReverse', source)(
    columns,
    updates,
    appendReverse,
  ) as ReadRecords;
  return { read, minLength: layout.minLength, rowsPerRecord, names };
}

const rowColumns = [
  'exporter',
  'version',
  'receivedAt',
  'startedAt',
  'endedAt',
  'samplingRate',
  'family',
  'src4',
  'dst4',
  'src6',
  'dst6',
  'srcNat4',
  'dstNat4',
  'srcNat6',
  'dstNat6',
] as const satisfies readonly (keyof FlowColumns)[];

/** Records that report an event of a NAT or firewall are no traffic, but ASA's updates (5), and its deletions (2) that no update came before. */
function eventStatements(layout: Layout): string {
  const nat = firstNotZero(layout.numbers('natEvent'));
  const firewall = firstNotZero(layout.numbers('firewallEvent'));
  const flowId = firstNotZero(layout.numbers('flowId')) ?? '0';
  return [
    nat && `if (${nat} !== 0) { natEvents++; at = next; continue; }`,
    firewall &&
      `const event = ${firewall};
      if (event === 5) updates.add(exporterIndex, ${flowId});
      else if (event !== 0 && (event !== 2 || updates.remove(exporterIndex, ${flowId}))) { firewallEvents++; at = next; continue; }`,
  ]
    .filter(Boolean)
    .join('\n');
}

type Counters = { readonly bytes: readonly string[]; readonly packets: readonly string[] };

function flowStatements(
  layout: Layout,
  forward: Counters,
  back: Counters,
  names: Program['names'],
  written: Set<BlankColumn>,
): string {
  const store = (column: BlankColumn, candidates: readonly string[], map = (value: string) => value) => {
    const value = firstNotZero(candidates);
    if (value === undefined) return '';
    written.add(column);
    return `${column}[n] = ${map(value)};`;
  };
  const forwarding = firstNotZero(layout.numbers('forwardingStatus'));
  const statements = [
    'exporter[n] = exporterIndex; version[n] = protocolVersion; receivedAt[n] = received;',
    timeStatements(layout),
    addressStatements(layout),
    natStatements(layout, written),
    store('bytes', forward.bytes),
    store('packets', forward.packets),
    ...(['srcPort', 'dstPort', 'srcNatPort', 'dstNatPort', 'protocol', 'tos', 'tcpFlags'] as const).map((name) =>
      store(name, layout.numbers(name)),
    ),
    ...(['inIf', 'outIf', 'srcAs', 'dstAs'] as const).map((name) => store(name, layout.numbers(name))),
    // 0 = ingress, 1 = egress; some send 255.
    ...layout
      .numbers('direction')
      .slice(0, 1)
      .map((value) => store('direction', [value], (v) => `(h = ${v}) < 2 ? h + 1 : 0`)),
    names !== 'nothing'
      ? `samplingRate[n] = ${firstNotZero(layout.numbers('samplingRate')) ?? '0'}; ${store('sampler', layout.numbers('sampler'))}`
      : 'samplingRate[n] = rate;',
    forwarding && `if (${forwarding} >= 128) rowFlags |= ${flag.notForwarded};`,
    'if (rowFlags !== 0) flags[n] = rowFlags;',
    'n++;',
  ];
  if (back.bytes.length + back.packets.length > 0) {
    for (const name of turnedColumns) written.add(name);
    statements.push(`const backBytes = ${firstNotZero(back.bytes) ?? '0'}, backPackets = ${firstNotZero(back.packets) ?? '0'};
      if (backBytes + backPackets > 0) { appendReverse(columns, n - 1, backBytes, backPackets); n++; }`);
  }
  return statements.filter(Boolean).join('\n');
}

function timeStatements(layout: Layout): string {
  const start = layout.time(timeElements.startedAt);
  const end = layout.time(timeElements.endedAt);
  return `let rowFlags = initial, ended = ${end ?? start ?? 'exportedAt'}, started = ${start ?? 'ended'};
    if (!(ended >= oldest && ended <= newest && started >= oldest && started <= newest)) {
      clamped++; rowFlags |= ${flag.timeClamped};
      if (!(ended >= oldest && ended <= newest)) ended = received;
      if (!(started >= oldest && started <= newest)) started = ended;
    }
    endedAt[n] = ended; startedAt[n] = started > ended ? ended : started;`;
}

/** Both families in one template: ipVersion decides, else the one that is not all zeros. */
function addressStatements(layout: Layout): string {
  const src4 = layout.address('src4')?.[0];
  const dst4 = layout.address('dst4')?.[0];
  const src6 = layout.address('src6');
  const dst6 = layout.address('dst6');
  const store4 = `family[n] = 4; src4[n] = ${src4 ?? '0'}; dst4[n] = ${dst4 ?? '0'};`;
  if (!src6 && !dst6) return store4;
  const words = (column: string, values: readonly string[] | undefined) =>
    [0, 1, 2, 3].map((i) => `${column}[n * 4 + ${i}] = ${values?.[i] ?? '0'};`).join(' ');
  const store6 = `family[n] = 6; ${words('src6', src6)} ${words('dst6', dst6)}`;
  if (!src4 && !dst4) return store6;
  const any = (values: readonly (string | undefined)[]) => `(${values.filter(Boolean).join(' | ')}) !== 0`;
  const isSix = `!(${any([src4, dst4])}) && ${any([...(src6 ?? []), ...(dst6 ?? [])])}`;
  const version = firstNotZero(layout.numbers('ipVersion'));
  const decide = version ? `(h = ${version}) === 6 || h !== 4 && ${isSix}` : isSix;
  return `if (${decide}) { ${store6} } else { ${store4} }`;
}

function natStatements(layout: Layout, written: Set<BlankColumn>): string {
  const ends4 = [layout.address('srcNat4'), layout.address('dstNat4')];
  const ends6 = [layout.address('srcNat6'), layout.address('dstNat6')];
  const anyOf = (ends: readonly (readonly string[] | undefined)[]) => ends.flatMap((words) => words ?? []);
  const statements: string[] = [];
  for (const [family, ends, size] of [
    [4, ends4, 1],
    [6, ends6, 4],
  ] as const) {
    if (anyOf(ends).length === 0) continue;
    written.add('natFamily');
    const stores = (['srcNat', 'dstNat'] as const).flatMap((column, end) =>
      Array.from(
        { length: size },
        (_, i) => `${column}${family}[n${size > 1 ? ` * 4 + ${i}` : ''}] = ${ends[end]?.[i] ?? '0'};`,
      ),
    );
    statements.push(`if ((${anyOf(ends).join(' | ')}) !== 0) { natFamily[n] = ${family}; ${stores.join(' ')} }`);
  }
  return statements.join(' else ');
}

/** Calls to `getUint…` have no effect, so reading a candidate twice is only a little time, and only where a template has two. */
function firstNotZero(candidates: readonly string[]): string | undefined {
  const [first, ...others] = candidates;
  return first && others.reduce((value, other) => `(${value} || ${other})`, first);
}

// What holds for any template, any records and any way to cut them into datagrams, checked with made-up ones.
import fc from 'fast-check';
import t from 'tap';
import { flag } from '#flow-collector/wire/columns.ts';
import { runs } from '#test/support/effort.ts';
import {
  datagram9,
  exportedAtMs,
  type FieldSpec,
  record,
  set,
  templateSet,
  uptimeMs,
  type Value,
  variable,
} from './support/encode9.ts';
import { createFlowReader, type Flow } from './support/flows.ts';

const receivedAtMs = exportedAtMs + 20;

/** What a field of a made-up template may be, and what its value does to the flow expected of it. */
type Kind = {
  readonly element: number;
  readonly lengths: readonly number[];
  /** Of several that fill one value the first that is not 0 counts: lower ranks first. */
  readonly fills: keyof Flow;
  readonly rank: number;
};

const number = (fills: keyof Flow, element: number, lengths: readonly number[], rank = 0): Kind => ({
  element,
  lengths,
  fills,
  rank,
});
const upTo8 = [1, 2, 3, 4, 5, 6, 7, 8];
const kinds: readonly Kind[] = [
  number('bytes', 1, upTo8),
  number('bytes', 23, upTo8, 1),
  number('packets', 2, upTo8),
  number('packets', 24, upTo8, 1),
  number('srcPort', 7, [1, 2]),
  number('srcPort', 180, [2], 1),
  number('dstPort', 11, [1, 2]),
  number('dstPort', 32, [2], 1),
  number('srcNatPort', 227, [2]),
  number('dstNatPort', 228, [2]),
  number('protocol', 4, [1]),
  number('tos', 5, [1]),
  number('tcpFlags', 6, [1, 2]),
  number('inIf', 10, [1, 2, 3, 4]),
  number('inIf', 252, [4], 1),
  number('outIf', 14, [2, 4]),
  number('srcAs', 16, [2, 4]),
  number('dstAs', 17, [2, 4]),
  { element: 8, lengths: [4], fills: 'src', rank: 0 },
  { element: 12, lengths: [4], fills: 'dst', rank: 0 },
  { element: 225, lengths: [4], fills: 'srcNat', rank: 0 },
  { element: 226, lengths: [4], fills: 'dstNat', rank: 0 },
];
/** Elements that no column takes, of any length. */
const unknown = fc.record({
  element: fc.integer({ min: 1000, max: 32_000 }),
  length: fc.oneof(fc.nat(20), fc.constant(variable)),
});

type MadeField = { readonly spec: FieldSpec; readonly kind: Kind | undefined };

const template = fc
  .tuple(fc.subarray([...kinds], { minLength: 1 }), fc.array(unknown, { maxLength: 6 }), fc.infiniteStream(fc.nat(1e6)))
  .map(([chosen, others, random]): MadeField[] => {
    const next = () => random.next().value as number;
    // An address and a counter make it a flow.
    const needed = [kinds[0]!, kinds[18]!].filter((kind) => !chosen.includes(kind));
    const fields: MadeField[] = [...chosen, ...needed].map((kind) => ({
      kind,
      spec: [kind.element, kind.lengths[next() % kind.lengths.length]!],
    }));
    for (const { element, length } of others)
      fields.splice(next() % (fields.length + 1), 0, { kind: undefined, spec: [element, length] });
    return fields
      .map((field) => ({ field, at: next() }))
      .sort((a, b) => a.at - b.at)
      .map(({ field }) => field);
  });

const valuesOf = (fields: readonly MadeField[]) =>
  fc.tuple(
    ...fields.map(({ spec: [, length] }) =>
      length === variable
        ? fc.uint8Array({ maxLength: 300 }).map((octets) => Buffer.from(octets))
        : fc
            .oneof(fc.constant(new Uint8Array(length)), fc.uint8Array({ minLength: length, maxLength: length }))
            .map((octets) => Buffer.from(octets)),
    ),
  ) as fc.Arbitrary<Buffer[]>;

const exportOf = template.chain((fields) =>
  fc.record({ fields: fc.constant(fields), records: fc.array(valuesOf(fields), { maxLength: 12 }) }),
);

const unsigned = (octets: Buffer) => {
  const value = octets.length === 0 ? 0n : BigInt(`0x${octets.toString('hex')}`);
  return Number(value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : value);
};
const dotted = (octets: Buffer | undefined) => (octets ?? Buffer.alloc(4)).join('.');

/** The flow a record means, computed from its fields one by one. */
function meaning(fields: readonly MadeField[], values: readonly Buffer[]): Readonly<Record<string, number | string>> {
  const of = (fills: keyof Flow) =>
    fields
      .map(({ kind }, i) => ({ kind, octets: values[i]! }))
      .filter(({ kind }) => kind?.fills === fills)
      .sort((a, b) => a.kind!.rank - b.kind!.rank)
      .map(({ octets }) => octets);
  const flow: Record<string, number | string> = {};
  for (const { fills } of kinds)
    flow[fills] =
      of(fills)
        .map(unsigned)
        .find((value) => value !== 0) ?? 0;
  const nat = [...of('srcNat'), ...of('dstNat')].some((octets) => octets.some((octet) => octet !== 0));
  return {
    ...flow,
    src: dotted(of('src')[0]),
    dst: dotted(of('dst')[0]),
    natFamily: nat ? 4 : 0,
    srcNat: nat ? dotted(of('srcNat')[0]) : '',
    dstNat: nat ? dotted(of('dstNat')[0]) : '',
    startedAt: exportedAtMs,
    endedAt: exportedAtMs,
    receivedAt: receivedAtMs,
    flags: 0,
    samplingRate: 1,
  };
}

const specs = (fields: readonly MadeField[]) => fields.map(({ spec }) => spec);
const dataOf = (id: number, fields: readonly MadeField[], records: readonly (readonly Value[])[]) =>
  set(id, Buffer.concat(records.map((values) => record(specs(fields), values))));

const same = (actual: readonly Flow[], expected: readonly Readonly<Record<string, number | string>>[]) =>
  actual.length === expected.length &&
  expected.every((flow, i) => Object.entries(flow).every(([name, value]) => actual[i]![name as keyof Flow] === value));

t.test('what is encoded is decoded', async () => {
  fc.assert(
    fc.property(
      fc.array(exportOf, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 2, max: 20 }),
      (exports, capacity) => {
        const reader = createFlowReader({ capacity });
        const sets = exports.flatMap(({ fields, records }, i) => [
          templateSet(256 + i, specs(fields)),
          dataOf(256 + i, fields, records),
        ]);
        reader.read(datagram9(sets), receivedAtMs);
        return same(
          reader.flows,
          exports.flatMap(({ fields, records }) => records.map((values) => meaning(fields, values))),
        );
      },
    ),
    { numRuns: runs(300) },
  );
});

t.test('relative times come back within half the wrap of the uptime', async () => {
  const day = 86_400_000;
  const fields: FieldSpec[] = [
    [8, 4],
    [1, 4],
    [22, 4],
    [21, 4],
  ];
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      fc.integer({ min: -day, max: 60_000 }),
      fc.integer({ min: 0, max: 3_600_000 }),
      (uptime, endedAgo, duration) => {
        const reader = createFlowReader();
        const wrap = (value: number) => ((value % 2 ** 32) + 2 ** 32) % 2 ** 32;
        const values = [Buffer.from([10, 0, 0, 1]), 1, wrap(uptime + endedAgo - duration), wrap(uptime + endedAgo)];
        const sets = [templateSet(256, fields), set(256, record(fields, values))];
        reader.read(datagram9(sets, { uptimeMs: uptime }), exportedAtMs);
        const { startedAt, endedAt, flags } = reader.flows[0]!;
        const startIsFar = duration - endedAgo > day;
        return (
          endedAt === exportedAtMs + endedAgo &&
          startedAt === (startIsFar ? endedAt : endedAt - duration) &&
          flags === (startIsFar ? flag.timeClamped : 0)
        );
      },
    ),
    { numRuns: runs(300) },
  );
});

t.test('any way to cut the sets into datagrams, in any order, gives the same flows', async () => {
  const cut = fc.record({
    exports: fc.array(exportOf, { minLength: 1, maxLength: 3 }),
    order: fc.array(fc.nat(1000), { minLength: 12, maxLength: 12 }),
    cuts: fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
  });
  const sorted = (flows: readonly Flow[]) => flows.map((flow) => JSON.stringify(flow)).sort();
  fc.assert(
    fc.property(cut, ({ exports, order, cuts }) => {
      const sets = exports.flatMap(({ fields, records }, i) => [
        templateSet(256 + i, specs(fields)),
        dataOf(256 + i, fields, records.slice(0, 6)),
        dataOf(256 + i, fields, records.slice(6)),
      ]);
      const whole = createFlowReader();
      whole.read(datagram9(sets), receivedAtMs);
      const mixed = sets.map((content, i) => ({ content, at: order[i]! })).sort((a, b) => a.at - b.at);
      const parts: Buffer[][] = [[]];
      for (const [i, { content }] of mixed.entries()) {
        if (cuts[i]) parts.push([]);
        parts.at(-1)!.push(content);
      }
      const reader = createFlowReader({ capacity: 2 });
      for (const [sequence, part] of parts.entries()) reader.read(datagram9(part, { sequence }), receivedAtMs);
      const { set_buffered: buffered = 0, set_decoded_late: late = 0 } = reader.counts();
      return buffered === late && JSON.stringify(sorted(reader.flows)) === JSON.stringify(sorted(whole.flows));
    }),
    { numRuns: runs(200) },
  );
});

t.test('what lies around a datagram makes no difference', async () => {
  const damage = fc.array(fc.record({ at: fc.nat(5000), octet: fc.nat(255) }), { maxLength: 6 });
  fc.assert(
    fc.property(exportOf, damage, fc.nat(5000), ({ fields, records }, changes, length) => {
      const datagram = datagram9([templateSet(256, specs(fields)), dataOf(256, fields, records)], { uptimeMs });
      for (const { at, octet } of changes) if (at >= 2 && at < datagram.length) datagram[at] = octet;
      const cut = datagram.subarray(0, Math.max(2, length));
      const [zeros, ones] = [0, 255].map((surroundings) => createFlowReader({ surroundings }));
      zeros!.read(cut, receivedAtMs);
      ones!.read(cut, receivedAtMs);
      return (
        JSON.stringify(zeros!.flows) === JSON.stringify(ones!.flows) &&
        JSON.stringify(zeros!.counts()) === JSON.stringify(ones!.counts())
      );
    }),
    { numRuns: runs(500) },
  );
});

// Which template data is decoded with: waiting, replaced, forgotten, bounded, kept over a restart and shared between workers.
import t from 'tap';
import { clearColumns, createColumns } from '#flow-collector/wire/columns.ts';
import { countIndex } from '#flow-collector/wire/counts.ts';
import { createDecoder } from '#flow-collector/wire/decoder.ts';
import { createExporter } from '#flow-collector/wire/exporter.ts';
import type { Learned } from '#flow-collector/wire/learned.ts';
import {
  commonFields,
  commonValues,
  datagram9,
  dataSet,
  exportedAtMs,
  type FieldSpec,
  ip4,
  optionsTemplateSet,
  set,
  template,
  templateSet,
} from './support/encode9.ts';
import { createFlowReader } from './support/flows.ts';

const ends: readonly FieldSpec[] = [
  [8, 4],
  [12, 4],
];
const endValues = [ip4('10.0.0.1'), ip4('198.51.100.7')];
const small: readonly FieldSpec[] = [...ends, [1, 4], [2, 4]];
const turned: readonly FieldSpec[] = [[2, 4], [1, 4], ...ends];
const bytesOf = (flows: readonly { bytes: number }[]) => flows.map(({ bytes }) => bytes);

t.test('data before its template waits, and is decoded with the one that comes', async (t) => {
  const reader = createFlowReader();
  const first = datagram9([
    dataSet(256, small, [[...endValues, 100, 1]]),
    templateSet(300, small),
    dataSet(300, small, [[...endValues, 7, 1]]),
  ]);
  reader.read(first, exportedAtMs + 5);
  t.strictSame(bytesOf(reader.flows), [7], 'the other sets of the datagram are not held up');
  reader.read(datagram9([dataSet(256, small, [[...endValues, 200, 2]], 2)], { sequence: 1 }), exportedAtMs + 6);
  t.match(reader.counts(), { unknown_template: 2, set_buffered: 2, flows: 1 });
  reader.read(
    datagram9([templateSet(256, small)], { sequence: 2, unixS: exportedAtMs / 1000 + 60 }),
    exportedAtMs + 60_000,
  );
  t.match(reader.flows.slice(1), [
    { bytes: 100, receivedAt: exportedAtMs + 5, endedAt: exportedAtMs },
    { bytes: 200, receivedAt: exportedAtMs + 6, endedAt: exportedAtMs },
  ]);
  t.match(reader.counts(), { set_decoded_late: 2, flows: 3 });
});

t.test('a template of another source id, exporter or kind is not the one', async (t) => {
  const reader = createFlowReader();
  const other = createExporter('192.0.2.2', 4);
  reader.read(datagram9([templateSet(256, small)], { sourceId: 1 }), exportedAtMs);
  reader.read(datagram9([templateSet(256, small)], { sourceId: 2 }), exportedAtMs, other);
  reader.read(datagram9([dataSet(256, small, [[...endValues, 1, 1]])], { sourceId: 2 }), exportedAtMs);
  t.match(reader.counts(), { unknown_template: 1, set_buffered: 1 });
  reader.read(datagram9([dataSet(256, small, [[...endValues, 2, 1]])], { sourceId: 2 }), exportedAtMs, other);
  reader.read(datagram9([dataSet(256, small, [[...endValues, 3, 1]])], { sourceId: 1, sequence: 1 }), exportedAtMs);
  t.match(reader.flows, [
    { bytes: 2, exporter: 4 },
    { bytes: 3, exporter: 3 },
  ]);
});

t.test('the last definition of an id holds, from its place in the datagram on', async (t) => {
  const reader = createFlowReader();
  const sets = [
    templateSet(256, small),
    dataSet(256, small, [[...endValues, 100, 1]]),
    templateSet(256, turned),
    dataSet(256, turned, [[2, 200, ...endValues]]),
    templateSet(256, turned),
  ];
  reader.read(datagram9(sets), exportedAtMs);
  t.strictSame(bytesOf(reader.flows), [100, 200]);
  t.match(reader.counts(), { template_received: 3, template_changed: 1 });
});

t.test('an id may go from data to options and back', async (t) => {
  const reader = createFlowReader();
  const options: FieldSpec[] = [[34, 4]];
  const scope: FieldSpec[] = [[1, 4]];
  const sets = [
    templateSet(256, small),
    optionsTemplateSet(256, scope, options),
    dataSet(256, [...scope, ...options], [[0, 100]]),
    templateSet(256, small),
    dataSet(256, small, [[...endValues, 5, 1]]),
  ];
  reader.read(datagram9(sets), exportedAtMs);
  t.match(reader.flows, [{ bytes: 5, samplingRate: 100 }]);
  t.match(reader.counts(), { template_changed: 2, options_records: 1, records: 2 });
});

t.test('a template without fields withdraws its id', async (t) => {
  const reader = createFlowReader();
  reader.read(
    datagram9([templateSet(256, small), set(0, template(256, [])), dataSet(256, small, [[...endValues, 5, 1]])]),
    exportedAtMs,
  );
  t.match(reader.counts(), { template_withdrawn: 1, unknown_template: 1, set_buffered: 1 });
});

t.test('what waits is bounded in octets and in time', async (t) => {
  const reader = createFlowReader({ limits: { pendingBytesPerExporter: 3000, pendingMs: 60_000 } });
  const data = (bytes: number, sequence: number) =>
    datagram9([dataSet(256, small, [[...endValues, bytes, 1]])], { sequence });
  for (let i = 0; i < 10; i++) reader.read(data(i, i), exportedAtMs + i);
  const { set_buffered: buffered = 0, set_dropped: dropped = 0 } = reader.counts();
  t.equal(buffered, 10);
  t.ok(dropped > 0 && dropped < 10, `${dropped} of the oldest made room`);
  reader.read(datagram9([templateSet(256, small)], { sequence: 10 }), exportedAtMs + 100);
  t.strictSame(
    bytesOf(reader.flows),
    Array.from({ length: 10 - dropped }, (_, i) => dropped + i),
    'the newest were kept',
  );

  reader.read(datagram9([dataSet(257, small, [[...endValues, 1, 1]])], { sequence: 11 }), exportedAtMs);
  reader.read(datagram9([templateSet(257, small)], { sequence: 12 }), exportedAtMs + 60_001);
  t.match(reader.counts(), { set_dropped: dropped + 1, set_decoded_late: 10 - dropped });
  reader.read(
    datagram9([dataSet(258, small, Array(200).fill([...endValues, 1, 1]))], { sequence: 13 }),
    exportedAtMs + 60_001,
  );
  t.match(
    reader.counts(),
    { set_dropped: dropped + 2, set_buffered: 11 },
    'a set larger than the bound is dropped at once',
  );
});

t.test('a template neither announced nor used is forgotten', async (t) => {
  const reader = createFlowReader({ limits: { templateMaxAgeMs: 1000_000 } });
  const data = (id: number, sequence: number) => datagram9([dataSet(id, small, [[...endValues, id, 1]])], { sequence });
  reader.read(datagram9([templateSet(256, small), templateSet(257, small), templateSet(258, small)]), exportedAtMs);
  reader.read(data(257, 1), exportedAtMs + 900_000);
  reader.read(datagram9([templateSet(258, small)], { sequence: 2 }), exportedAtMs + 900_000);
  for (const [i, id] of [256, 257, 258].entries()) reader.read(data(id, 3 + i), exportedAtMs + 1_000_001);
  t.strictSame(bytesOf(reader.flows), [257, 257, 258]);
  t.match(reader.counts(), { template_expired: 1, unknown_template: 1 });
});

t.test('after a restart of the exporter no data is decoded with a template from before', async (t) => {
  const reader = createFlowReader();
  const before = { uptimeMs: 90_000_000, sequence: 70_000 };
  reader.read(datagram9([templateSet(256, small), dataSet(256, small, [[...endValues, 1, 1]])], before), exportedAtMs);
  reader.read(
    datagram9([dataSet(257, turned, [[3, 300, ...endValues]])], { ...before, sequence: 70_001 }),
    exportedAtMs,
  );
  reader.read(
    datagram9([dataSet(256, turned, [[2, 200, ...endValues]])], { uptimeMs: 30_000, sequence: 4 }),
    exportedAtMs,
  );
  t.strictSame(bytesOf(reader.flows), [1]);
  t.match(reader.counts(), { exporter_restart: 1, unknown_template: 2, set_dropped: 1 });
  reader.read(datagram9([templateSet(256, turned)], { uptimeMs: 31_000, sequence: 5 }), exportedAtMs);
  reader.read(datagram9([templateSet(257, small)], { uptimeMs: 31_000, sequence: 6 }), exportedAtMs);
  t.strictSame(bytesOf(reader.flows), [1, 200], 'nor with one from afterwards what waited from before');
});

t.test('an uptime that wraps, stands still, or belongs to a second process is no restart', async (t) => {
  for (const [name, headers] of [
    [
      'wraps',
      [
        { uptimeMs: 2 ** 32 - 5, sequence: 70_000 },
        { uptimeMs: 400, sequence: 70_002 },
      ],
    ],
    [
      'stands still',
      [
        { uptimeMs: 0, sequence: 70_000 },
        { uptimeMs: 0, sequence: 3 },
      ],
    ],
    [
      'second process',
      [
        { uptimeMs: 90_000_000, sequence: 70_000 },
        { uptimeMs: 70_000_000, sequence: 3 },
        { uptimeMs: 90_000_000, sequence: 70_001 },
      ],
    ],
    [
      'overtaken',
      [
        { uptimeMs: 90_000_000, sequence: 70_000 },
        { uptimeMs: 400, sequence: 69_999 },
      ],
    ],
  ] as const) {
    const reader = createFlowReader();
    reader.read(
      datagram9([templateSet(256, small)], { ...headers[0], sequence: headers[0].sequence - 1 }),
      exportedAtMs,
    );
    for (const header of headers)
      reader.read(datagram9([dataSet(256, small, [[...endValues, 1, 1]])], header), exportedAtMs);
    t.equal(reader.flows.length, headers.length, name);
  }
});

t.test('a template has at most so many fields, an exporter so many templates', async (t) => {
  const reader = createFlowReader({ limits: { fieldsPerTemplate: 17, templatesPerExporter: 16 } });
  const many: FieldSpec[] = [...commonFields, [15, 4]];
  reader.read(datagram9([templateSet(256, many), templateSet(257, commonFields)]), exportedAtMs);
  reader.read(datagram9([dataSet(257, commonFields, [commonValues])], { sequence: 1 }), exportedAtMs);
  t.match(reader.counts(), { template_malformed: 1, template_received: 2, flows: 1 });
  for (let id = 1000; id < 2000; id++)
    reader.read(datagram9([templateSet(id, small)], { sequence: 2 + id }), exportedAtMs);
  reader.read(datagram9([dataSet(257, commonFields, [commonValues])], { sequence: 3002 }), exportedAtMs);
  t.match(reader.counts(), { flows: 2, template_evicted: 1000 - 15 }, 'the one in use survives');
});

t.test('source ids that somebody makes up do not push out the one in use', async (t) => {
  const reader = createFlowReader({ limits: { domainsPerExporter: 8 } });
  const scope: FieldSpec[] = [[1, 4]];
  const options: FieldSpec[] = [[34, 4]];
  const sets = [
    optionsTemplateSet(257, scope, options),
    dataSet(257, [...scope, ...options], [[0, 64]]),
    templateSet(256, small),
  ];
  reader.read(datagram9(sets, { sourceId: 7 }), exportedAtMs);
  for (let sourceId = 100; sourceId < 1100; sourceId++) reader.read(datagram9([], { sourceId }), exportedAtMs);
  reader.read(datagram9([dataSet(256, small, [[...endValues, 1, 1]])], { sourceId: 7, sequence: 1 }), exportedAtMs);
  t.match(reader.flows, [{ samplingRate: 64 }]);
});

t.test('a snapshot carries templates and rates over a restart of the collector', async (t) => {
  const before = createFlowReader();
  const scope: FieldSpec[] = [[1, 4]];
  const options: FieldSpec[] = [
    [34, 4],
    [35, 1],
  ];
  const sets = [
    templateSet(256, small),
    templateSet(400, small),
    optionsTemplateSet(257, scope, options),
    dataSet(257, [...scope, ...options], [[0, 64, 2]]),
    dataSet(256, small, [[...endValues, 1, 1]]),
  ];
  before.read(datagram9(sets, { sourceId: 2 ** 32 - 1, sequence: 41 }), exportedAtMs);
  const snapshot = JSON.parse(JSON.stringify(before.decoder.snapshot()));
  t.strictSame(
    snapshot.learned.map((entry: Learned) => (entry.kind === 'template' ? entry.id : entry.kind)),
    [256, 257, 'rate'],
    'a template that never decoded anything is left out',
  );
  const after = createFlowReader();
  t.strictSame(after.decoder.restore(snapshot, exportedAtMs + 1000), { accepted: 4, rejected: 0 });
  after.read(
    datagram9([dataSet(256, small, [[...endValues, 5, 1]])], {
      sourceId: 2 ** 32 - 1,
      sequence: 5000,
      uptimeMs: 6_000_000,
    }),
    exportedAtMs + 1000,
  );
  t.match(after.flows, [{ bytes: 5, samplingRate: 64 }]);
  t.strictSame(after.counts(), { packets: 1, flows: 1, records: 1 }, 'what was sent in between is not counted as lost');

  const restarted = createFlowReader();
  restarted.decoder.restore(snapshot, exportedAtMs + 1000);
  restarted.read(
    datagram9([dataSet(256, small, [[...endValues, 5, 1]])], {
      sourceId: 2 ** 32 - 1,
      sequence: 12,
      uptimeMs: 1_000_000,
    }),
    exportedAtMs + 1000,
  );
  t.match(restarted.counts(), { unknown_template: 1 }, 'the exporter restarted in the meantime');

  const late = createFlowReader();
  t.strictSame(late.decoder.restore(snapshot, exportedAtMs + 86_400_001), { accepted: 2, rejected: 2 }, 'too old');
});

t.test('a snapshot that is none is left out entry by entry', async (t) => {
  const { decoder } = createFlowReader();
  for (const rubbish of [
    undefined,
    null,
    7,
    'x',
    [],
    {},
    { format: 2, learned: [], domains: [] },
    { format: 1, learned: {}, domains: [] },
  ]) {
    t.strictSame(decoder.restore(rubbish, exportedAtMs), { accepted: 0, rejected: 1 });
  }
  const good = {
    kind: 'template',
    exporter: 'a',
    version: 9,
    sourceId: 0,
    id: 256,
    of: 'data',
    scopeFields: 0,
    fields: [[1, 4]],
    announcedAtMs: exportedAtMs,
  };
  const bad = [
    { ...good, id: 255 },
    { ...good, id: 65_536 },
    { ...good, of: 'other' },
    { ...good, version: 11 },
    { ...good, sourceId: -1 },
    { ...good, sourceId: 2 ** 32 },
    { ...good, fields: [] },
    { ...good, fields: Array(513).fill([1, 4]) },
    { ...good, fields: [[1, 65_536]] },
    { ...good, fields: [[1, '4']] },
    { ...good, fields: [[1.5, 4]] },
    { ...good, fields: [[1, 4, 1]] },
    { ...good, scopeFields: 2 },
    { ...good, announcedAtMs: Number.NaN },
    { ...good, exporter: 'x'.repeat(65) },
    { ...good, kind: 'rate', scope: 'system', key: 0, rate: 0 },
    { ...good, kind: 'rate', scope: 'nothing', key: 0, rate: 1 },
    null,
  ];
  t.strictSame(
    decoder.restore(
      { format: 1, learned: [good, ...bad], domains: [{}, { ...good, uptimeMs: 1, sequence: 2 }] },
      exportedAtMs,
    ),
    {
      accepted: 2,
      rejected: bad.length + 1,
    },
  );
  for (const entry of bad) t.equal(decoder.learn(entry, exportedAtMs), false);
});

t.test('workers tell each other what they learn', async (t) => {
  const told: Learned[] = [];
  const a = createFlowReader({ onLearned: (learned) => told.push(structuredClone(learned)) });
  const b = createFlowReader({ onLearned: () => t.fail('what was learned from another is not told again') });
  b.read(datagram9([dataSet(256, small, [[...endValues, 1, 1]])], { sequence: 9 }), exportedAtMs);
  a.read(datagram9([templateSet(256, small)]), exportedAtMs + 10);
  t.match(told, [
    { kind: 'template', exporter: '192.0.2.1', version: 9, sourceId: 0, id: 256, of: 'data', fields: small },
  ]);
  t.ok(b.decoder.learn(told[0], exportedAtMs + 10));
  b.take();
  t.strictSame(bytesOf(b.flows), [1], 'what waited there is decoded');
  b.read(datagram9([templateSet(256, small)], { sequence: 10 }), exportedAtMs + 20);

  a.read(datagram9([templateSet(256, small)], { sequence: 1 }), exportedAtMs + 1000);
  t.equal(told.length, 1, 'nothing new');
  a.read(datagram9([templateSet(256, turned)], { sequence: 2 }), exportedAtMs + 2000);
  t.equal(told.length, 2);
  a.read(datagram9([templateSet(256, turned)], { sequence: 3 }), exportedAtMs + 2000 + 600_000);
  t.equal(told.length, 3, 'told again from time to time');

  t.ok(b.decoder.learn(told[1], exportedAtMs + 2000));
  t.ok(b.decoder.learn(told[0], exportedAtMs + 2000), 'an older one comes too late');
  b.read(datagram9([dataSet(256, turned, [[2, 200, ...endValues]])], { sequence: 11 }), exportedAtMs + 2000);
  t.strictSame(bytesOf(b.flows), [1, 200]);
});

t.test('new layouts are compiled at a bounded rate; known ones decode on', async (t) => {
  const columns = createColumns(64);
  const decoder = createDecoder({ columns, onFull: clearColumns });
  const exporter = createExporter('192.0.2.1', 1);
  const read = (datagram: Buffer, atMs: number) => decoder.decode(datagram, 0, datagram.length, exporter, atMs);
  read(datagram9([templateSet(256, small), dataSet(256, small, [[...endValues, 1, 1]])]), exportedAtMs);
  for (let i = 0; i < 1200; i++) {
    const fields: FieldSpec[] = [...small, [1000 + i, 1]];
    read(datagram9([templateSet(257, fields), dataSet(257, fields, [[...endValues, 1, 1, 0]])]), exportedAtMs);
  }
  const count = (name: keyof typeof countIndex) => exporter.counts[countIndex[name]];
  t.equal(count('layout_limited'), 1200 - 999);
  t.equal(count('flows'), 1000);
  read(datagram9([dataSet(256, small, [[...endValues, 1, 1]])]), exportedAtMs);
  t.equal(count('flows'), 1001);
  const fields: FieldSpec[] = [...small, [5000, 1]];
  read(datagram9([templateSet(257, fields), dataSet(257, fields, [[...endValues, 1, 1, 0]])]), exportedAtMs + 1000);
  t.equal(count('flows'), 1002, 'a second later there is room again');
  const spent: FieldSpec[] = [...small, [5001, 1]];
  for (let i = 0; i < 200; i++) {
    const more: FieldSpec[] = [...small, [6000 + i, 1]];
    read(datagram9([templateSet(257, more), dataSet(257, more, [[...endValues, 1, 1, 0]])]), exportedAtMs + 1000);
  }
  const known = createExporter('192.0.2.2', 2, { known: true });
  const datagram = datagram9([templateSet(257, spent), dataSet(257, spent, [[...endValues, 1, 1, 0]])]);
  decoder.decode(datagram, 0, datagram.length, known, exportedAtMs + 1000);
  t.equal(known.counts[countIndex.flows], 1, 'an exporter that the operator knows has a budget of its own');
});

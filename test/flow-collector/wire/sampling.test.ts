// The sampling rate of a flow, from option records and from the flow itself, as exporters announce it.
import t from 'tap';
import { flag } from '#flow-collector/wire/columns.ts';
import { createExporter } from '#flow-collector/wire/exporter.ts';
import type { Learned } from '#flow-collector/wire/learned.ts';
import {
  datagram9,
  dataSet,
  exportedAtMs,
  type FieldSpec,
  ip4,
  optionsTemplateSet,
  templateSet,
  type Value,
} from './support/encode9.ts';
import { createFlowReader } from './support/flows.ts';

const ends: readonly FieldSpec[] = [
  [8, 4],
  [12, 4],
  [1, 4],
];
const endValues = [ip4('10.0.0.1'), ip4('198.51.100.7'), 1000];
const system: readonly FieldSpec[] = [[1, 4]];

/** Option records of one shape as sets: their template and the records. */
function options(
  id: number,
  scope: readonly FieldSpec[],
  fields: readonly FieldSpec[],
  records: readonly (readonly Value[])[],
) {
  return [optionsTemplateSet(id, scope, fields), dataSet(id, [...scope, ...fields], records)];
}

/** Rates of flows with the fields `extra`, after the option sets; −rate when flagged as unknown. */
function ratesOf(
  optionSets: readonly Buffer[],
  extra: readonly FieldSpec[],
  flows: readonly (readonly Value[])[],
  setting: number | null = null,
) {
  const reader = createFlowReader({ capacity: 2, exporter: createExporter('192.0.2.1', 3, { samplingRate: setting }) });
  const fields = [...ends, ...extra];
  const data = dataSet(
    256,
    fields,
    flows.map((values) => [...endValues, ...values]),
  );
  reader.read(datagram9([templateSet(256, fields), ...optionSets, data]), exportedAtMs);
  const rates = reader.flows.map(({ samplingRate, flags }) =>
    flags & flag.samplingUnknown ? -samplingRate : samplingRate,
  );
  t.equal(reader.counts().sampling_unknown ?? 0, rates.filter((rate) => rate < 0).length);
  return rates;
}

const none: readonly (readonly Value[])[] = [[], [], []];

t.test('an exporter that tells nothing has the rate of its setting, else 1', async (t) => {
  t.strictSame(ratesOf([], [], none), [1, 1, 1]);
  t.strictSame(ratesOf([], [], none, 256), [256, 256, 256]);
});

t.test('each form of announcing the rate of the whole exporter', async (t) => {
  for (const [name, fields, values, rate] of [
    [
      'interval and algorithm',
      [
        [34, 4],
        [35, 1],
      ],
      [1000, 2],
      1000,
    ],
    ['interval in two octets', [[34, 2]], [100], 100],
    [
      'random sampler',
      [
        [49, 1],
        [50, 4],
      ],
      [2, 512],
      512,
    ],
    [
      'count-based selector',
      [
        [304, 2],
        [305, 4],
        [306, 4],
      ],
      [1, 1, 99],
      100,
    ],
    [
      'n of m by selector',
      [
        [305, 4],
        [306, 4],
      ],
      [10, 90],
      10,
    ],
    [
      'n out of N',
      [
        [309, 4],
        [310, 4],
      ],
      [1, 2048],
      2048,
    ],
    ['nothing sampled', [[34, 4]], [0], 1],
    ['no rate at all', [[36, 2]], [60], 7],
    [
      'no packet of none',
      [
        [309, 4],
        [310, 4],
      ],
      [0, 5],
      7,
    ],
  ] as const satisfies readonly (readonly [string, FieldSpec[], Value[], number])[]) {
    t.strictSame(ratesOf(options(300, system, fields, [[0, ...values]]), [], none, 7), [rate, rate, rate], name);
  }
});

t.test('a flow that names its sampler has the rate of it', async (t) => {
  const samplers = options(
    300,
    system,
    [
      [48, 1],
      [49, 1],
      [50, 4],
    ],
    [
      [0, 1, 2, 100],
      [0, 2, 2, 200],
    ],
  );
  t.strictSame(ratesOf(samplers, [[48, 1]], [[1], [2], [0], [3]]), [100, 200, 1, -1], 'sampler 0 samples nothing');
  t.strictSame(ratesOf(samplers, [[48, 1]], [[3]], 50), [-50], 'the setting stands in for a sampler nobody described');
  t.strictSame(ratesOf(samplers, [], none), [-1, -1, -1], 'it may be either');
  t.strictSame(ratesOf(samplers, [], none, 50), [-50, -50, -50]);
  const selectors = options(
    300,
    system,
    [
      [302, 8],
      [305, 4],
      [306, 4],
    ],
    [[0, 7n, 1, 9]],
  );
  t.strictSame(ratesOf(selectors, [[302, 8]], [[7n], [8n]]), [10, -1]);
});

t.test('flows that name no sampler have the rate of the only one', async (t) => {
  const one = options(
    300,
    system,
    [
      [48, 2],
      [50, 4],
    ],
    [[0, 5, 400]],
  );
  t.strictSame(ratesOf(one, [], none), [400, 400, 400]);
  const same = options(
    300,
    system,
    [
      [48, 2],
      [50, 4],
    ],
    [
      [0, 5, 400],
      [0, 6, 400],
    ],
  );
  t.strictSame(ratesOf(same, [], none), [400, 400, 400], 'or the one they all have');
});

t.test('a sampler nobody described is unknown even where nothing else is told', async (t) => {
  t.strictSame(ratesOf([], [[48, 1]], [[4], [0]]), [-1, 1]);
  t.strictSame(ratesOf([], [[48, 1]], [[4], [0]], 30), [-30, 30]);
});

t.test('a rate inside the flow comes first', async (t) => {
  const announced = options(300, system, [[34, 4]], [[0, 1000]]);
  t.strictSame(ratesOf(announced, [[34, 4]], [[64], [0]]), [64, 1000]);
  t.strictSame(ratesOf([], [[50, 4]], [[32], [0]], 9), [32, 9]);
  t.strictSame(
    ratesOf(
      [],
      [
        [34, 4],
        [48, 1],
      ],
      [
        [16, 3],
        [0, 3],
        [0, 0],
      ],
    ),
    [16, -1, 1],
  );
});

t.test('a rate of an interface, a card or a template holds there only', async (t) => {
  const interfaces = options(
    300,
    [[2, 4]],
    [[34, 4]],
    [
      [10, 100],
      [20, 200],
    ],
  );
  const inOut: FieldSpec[] = [
    [10, 2],
    [14, 2],
  ];
  t.strictSame(
    ratesOf(interfaces, inOut, [
      [10, 1],
      [1, 20],
      [20, 10],
      [1, 2],
    ]),
    [100, 200, 200, 1],
  );
  t.strictSame(ratesOf(interfaces, inOut, [[1, 2]], 50), [50]);
  t.strictSame(
    ratesOf(options(300, [[2, 4]], [[34, 4]], [[0, 80]]), inOut, [[1, 2]]),
    [80],
    'interface 0 is the whole exporter',
  );
  const cards = options(
    300,
    [[3, 2]],
    [[34, 4]],
    [
      [1, 100],
      [2, 200],
    ],
  );
  t.strictSame(ratesOf(cards, [], none), [-1, -1, -1], 'a flow does not name its card');
  t.strictSame(ratesOf(options(300, [[3, 2]], [[34, 4]], [[1, 100]]), [], none), [100, 100, 100]);
  t.strictSame(ratesOf(options(300, [[5, 2]], [[34, 4]], [[256, 77]]), [], none), [77, 77, 77]);
  t.strictSame(ratesOf(options(300, [[5, 2]], [[34, 4]], [[257, 77]]), [], none), [1, 1, 1]);
  t.strictSame(
    ratesOf(options(300, [[4, 2]], [[34, 4]], [[1, 12]]), [], none),
    [12, 12, 12],
    'the cache is the exporter',
  );
});

t.test('option records behind the data of their datagram count for it', async (t) => {
  const reader = createFlowReader();
  const scoped: FieldSpec[] = [...system, [34, 4]];
  reader.read(datagram9([templateSet(256, ends), optionsTemplateSet(300, system, [[34, 4]])]), exportedAtMs);
  const sets = [dataSet(256, ends, [endValues]), dataSet(300, scoped, [[0, 10]])];
  reader.read(datagram9(sets, { sequence: 1 }), exportedAtMs);
  t.match(reader.flows, [{ samplingRate: 10 }]);
  t.match(reader.counts(), { options_records: 1, records: 2 });
  const changed = [
    dataSet(256, ends, [endValues]),
    optionsTemplateSet(300, [], [[34, 2]]),
    dataSet(300, [[34, 2]], [[20]]),
  ];
  reader.read(datagram9(changed, { sequence: 2 }), exportedAtMs);
  t.equal(reader.flows[1]!.samplingRate, 10, 'but not when a template stands between');
  reader.read(datagram9([dataSet(256, ends, [endValues])], { sequence: 3 }), exportedAtMs);
  t.equal(reader.flows[2]!.samplingRate, 20);
});

t.test('rates belong to their source id; the setting may change at any time', async (t) => {
  const reader = createFlowReader();
  const sets = [templateSet(256, ends), ...options(300, system, [[34, 4]], [[0, 10]])];
  reader.read(datagram9(sets, { sourceId: 1 }), exportedAtMs);
  const data = [templateSet(256, ends), dataSet(256, ends, [endValues])];
  reader.read(datagram9(data, { sourceId: 1, sequence: 1 }), exportedAtMs);
  reader.read(datagram9(data, { sourceId: 2 }), exportedAtMs);
  reader.exporter.samplingRate = 5;
  reader.read(datagram9(data, { sourceId: 2, sequence: 1 }), exportedAtMs);
  t.match(reader.flows, [{ samplingRate: 10 }, { samplingRate: 1 }, { samplingRate: 5 }]);
});

t.test('an option record that its set cuts is none; names of variable length are passed over', async (t) => {
  const reader = createFlowReader();
  const fields: FieldSpec[] = [...system, [84, 65_535], [34, 4]];
  const whole = dataSet(300, fields, [[0, Buffer.from('sampler-one'), 10]]);
  reader.read(datagram9([templateSet(256, ends), optionsTemplateSet(300, system, fields.slice(1))]), exportedAtMs);
  for (let length = 5; length < whole.length; length++) {
    const part = Buffer.from(whole.subarray(0, length));
    part.writeUInt16BE(length, 2);
    reader.read(datagram9([part]), exportedAtMs);
  }
  t.equal(reader.counts().options_records, undefined);
  reader.read(datagram9([whole, dataSet(256, ends, [endValues])]), exportedAtMs);
  t.match(reader.flows, [{ samplingRate: 10 }]);
});

t.test('a worker learns the rates of another', async (t) => {
  const told: Learned[] = [];
  const a = createFlowReader({ onLearned: (learned) => told.push(structuredClone(learned)) });
  const b = createFlowReader();
  const sets = [
    templateSet(256, ends),
    ...options(
      300,
      system,
      [
        [48, 1],
        [50, 4],
      ],
      [[0, 1, 100]],
    ),
  ];
  a.read(datagram9(sets), exportedAtMs);
  a.read(datagram9(sets, { sequence: 1 }), exportedAtMs);
  t.match(told.slice(2), [{ kind: 'rate', scope: 'sampler', key: 1, rate: 100 }]);
  for (const learned of told) t.ok(b.decoder.learn(learned, exportedAtMs));
  b.read(datagram9([dataSet(256, ends, [endValues])]), exportedAtMs);
  t.match(b.flows, [{ samplingRate: 100 }]);
});

// A million forged senders and templates: memory stays bounded, and what real exporters announced survives.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { clearColumns, createColumns } from '#flow-collector/wire/columns.ts';
import { type CountName, countIndex } from '#flow-collector/wire/counts.ts';
import { createDecoder, type Decoder } from '#flow-collector/wire/decoder.ts';
import { createExporter, type Exporter } from '#flow-collector/wire/exporter.ts';
import { defaultLimits } from '#flow-collector/wire/limits.ts';
import { runs } from '#test/support/effort.ts';
import { commonFields, commonValues, datagram9, dataSet, exportedAtMs, templateSet } from './support/encode9.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const forged = Math.min(1_000_000, runs(40_000));
const template = datagram9([templateSet(256, commonFields)]);
const data = datagram9([dataSet(256, commonFields, [commonValues])]);
const both = datagram9([templateSet(256, commonFields), dataSet(256, commonFields, [commonValues])]);

function start() {
  const columns = createColumns(1024);
  const decoder = createDecoder({ columns, onFull: clearColumns });
  const read = (datagram: Buffer, exporter: Exporter, atMs = exportedAtMs) =>
    decoder.decode(datagram, 0, datagram.length, exporter, atMs);
  return { decoder, read };
}
const countOf = (exporter: Exporter, name: CountName) => exporter.counts[countIndex[name]];
const addressOf = (i: number) => `${(i >>> 24) & 255}.${(i >>> 16) & 255}.${(i >>> 8) & 255}.${i & 255}`;

function heapBytes(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const atStart = heapBytes();

/** Runs the flood; the real exporters speak now and then in between. Returns how many octets more are held than at the start. */
function held(decoder: Decoder, send: (i: number) => void, real: () => void, datagrams = forged): number {
  for (let i = 0; i < datagrams; i++) {
    send(i);
    if (i % 1000 === 0) real();
  }
  const after = heapBytes();
  t.ok(decoder.rememberedBytes <= defaultLimits.totalBytes);
  return after - atStart;
}

const modest = defaultLimits.totalBytes * 1.5;
const megabytes = (octets: number) => `${(octets / 2 ** 20).toFixed(1)} MB held`;

t.test('forged senders that announce templates', async (t) => {
  const { decoder, read } = start();
  const real = Array.from({ length: 50 }, (_, i) => createExporter(`192.0.2.${i}`, i));
  for (const exporter of real) read(both, exporter);
  const octets = held(
    decoder,
    (i) => read(template, createExporter(addressOf(i), 99)),
    () => undefined,
  );
  t.ok(octets < modest, megabytes(octets));
  for (const exporter of real) read(data, exporter);
  t.ok(
    real.every((exporter) => countOf(exporter, 'flows') === 2),
    'templates that have decoded data survive, though silent all the while',
  );
});

t.test('forged senders that announce templates and send data', async (t) => {
  const { decoder, read } = start();
  const known = Array.from({ length: 50 }, (_, i) => createExporter(`192.0.2.${i}`, i, { known: true }));
  const busy = createExporter('198.51.100.1', 50);
  for (const exporter of [...known, busy]) read(both, exporter);
  let sent = 0;
  const octets = held(
    decoder,
    (i) => read(both, createExporter(addressOf(i), 99)),
    () => {
      read(data, busy);
      sent++;
    },
  );
  t.ok(octets < modest, megabytes(octets));
  for (const exporter of known) read(data, exporter);
  t.ok(
    known.every((exporter) => countOf(exporter, 'flows') === 2),
    'the exporters that the operator knows survive',
  );
  t.equal(countOf(busy, 'flows'), 1 + sent, 'and an unknown one that is busy');
});

t.test('forged senders whose data waits for a template', async (t) => {
  const { decoder, read } = start();
  const real = createExporter('192.0.2.1', 1);
  read(both, real);
  const octets = held(
    decoder,
    (i) => read(data, createExporter(addressOf(i), 99)),
    () => undefined,
  );
  t.ok(octets < modest, megabytes(octets));
  read(data, real);
  t.equal(countOf(real, 'flows'), 2);
});

t.test('one sender with a million templates and source ids', async (t) => {
  const { decoder, read } = start();
  const real = createExporter('192.0.2.1', 1);
  const forger = createExporter('192.0.2.2', 2);
  read(both, real);
  const octets = held(
    decoder,
    (i) => {
      const datagram = datagram9([templateSet(256 + (i % 65_000), [...commonFields, [1000 + (i % 30_000), 1]])], {
        sourceId: i,
      });
      read(datagram, forger);
    },
    () => undefined,
  );
  t.ok(octets < modest, megabytes(octets));
  t.ok(countOf(forger, 'template_evicted')! >= forged - defaultLimits.templatesPerExporter);
  read(data, real);
  t.equal(countOf(real, 'flows'), 2);
});

t.test('forged senders with many large templates', async (t) => {
  const fields = Array.from({ length: 100 }, (_, i) => [i, 2] as const);
  const large = Array.from({ length: 50 }, (_, part) =>
    datagram9(Array.from({ length: 20 }, (_, i) => templateSet(256 + part * 20 + i, fields))),
  );
  const { decoder, read } = start();
  const real = createExporter('192.0.2.1', 1);
  read(both, real);
  const octets = held(
    decoder,
    (i) => read(large[i % large.length]!, createExporter(addressOf(Math.floor(i / large.length)), 99)),
    () => undefined,
    Math.max(6000, forged / 20),
  );
  t.ok(decoder.rememberedBytes > defaultLimits.totalBytes * 0.9, 'the bound on the total was reached');
  t.ok(octets < modest, megabytes(octets));
  read(data, real);
  t.equal(countOf(real, 'flows'), 2);
});

t.test('a newcomer gets in while every place is taken', async (t) => {
  const { read } = start();
  for (let i = 0; i < defaultLimits.exporters; i++) read(both, createExporter(addressOf(i), i, { known: true }));
  const newcomer = createExporter('192.0.2.1', 1);
  for (const datagram of [template, data]) read(datagram, newcomer);
  t.equal(countOf(newcomer, 'flows'), 1);
});

// Mutated datagrams: nothing throws, nothing hangs, nothing is read outside the datagram, and memory stays where it is.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { clearColumns, createColumns } from '#flow-collector/wire/columns.ts';
import { countIndex } from '#flow-collector/wire/counts.ts';
import { createDecoder } from '#flow-collector/wire/decoder.ts';
import { createExporter } from '#flow-collector/wire/exporter.ts';
import { mulberry32, type Random } from '#test/aaa-server/support/mutate.ts';
import { runs } from '#test/support/effort.ts';
import { exportedAtMs } from './support/encode9.ts';
import { samples } from './support/samples.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const telling = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 20, 24, 48, 255, 256, 257, 0x7fff, 0x8000, 65_534, 65_535];

/** A copy with one to four things changed; now and then the lengths are put right again, so that what lies behind is reached. */
function mutate(original: Buffer, other: Buffer, random: Random): Buffer {
  const upTo = (limit: number) => Math.floor(random() * limit);
  let data = Buffer.from(original);
  for (let i = 1 + upTo(4); i > 0; i--) {
    const kind = random();
    const at = upTo(data.length + 1);
    if (kind < 0.35 && data.length > 0) data[upTo(data.length)] = upTo(256);
    else if (kind < 0.6 && data.length > 2)
      data.writeUInt16BE(telling[upTo(telling.length)]!, upTo((data.length - 1) / 2) * 2);
    else if (kind < 0.68) data = data.subarray(0, at);
    else if (kind < 0.76) data = Buffer.concat([data.subarray(0, at), data.subarray(at + upTo(9))]);
    else if (kind < 0.84)
      data = Buffer.concat([data.subarray(0, at), Buffer.alloc(upTo(30), upTo(256)), data.subarray(at)]);
    // The sets of another kind of datagram behind these.
    else if (kind < 0.92) data = Buffer.concat([data, other.subarray(20)]).subarray(0, 4000);
    else mendLengths(data);
  }
  // Memory of its own, exactly as long as the datagram: reading beyond it throws.
  const exact = Buffer.from(new ArrayBuffer(data.length));
  data.copy(exact);
  return exact;
}

/** Cuts the last set to the datagram. */
function mendLengths(data: Buffer): void {
  for (let at = 20; at + 4 <= data.length; ) {
    const length = data.readUInt16BE(at + 2);
    if (length < 4 || at + length > data.length) {
      data.writeUInt16BE(data.length - at, at + 2);
      return;
    }
    at += length;
  }
}

t.test('mutations of every kind of datagram are read without harm', async (t) => {
  const seed = (Date.now() ^ (process.pid << 8)) >>> 0;
  t.comment(`seed ${seed}`);
  const random = mulberry32(seed);
  const all = Object.values(samples);
  const limits = { totalBytes: 2 ** 20, pendingBytesPerExporter: 2 ** 16, layouts: 64 };
  const columns = createColumns(64);
  let rows = 0;
  const decoder = createDecoder({
    columns,
    limits,
    onFull(full) {
      rows += full.count;
      clearColumns(full);
    },
  });
  const exporters = [0, 1, 2].map((i) => createExporter(`192.0.2.${i}`, i, { totalsAreDeltas: i === 1 }));
  let atMs = exportedAtMs;
  collectGarbage();
  const before = process.memoryUsage();
  for (const [name, sample] of Object.entries(samples)) {
    let fed = 0;
    const rowsBefore = rows + columns.count;
    for (let i = runs(10_000); i > 0; i--) {
      const data = mutate(sample, all[Math.floor(random() * all.length)]!, random);
      atMs += 1;
      fed += data.length;
      const exporter = exporters[i % exporters.length]!;
      try {
        decoder.decode(data, 0, data.length, exporter, atMs);
      } catch (error) {
        t.fail(`${name} of seed ${seed}: ${data.toString('hex')}`, { error });
        return;
      }
      if (decoder.rememberedBytes > limits.totalBytes) t.fail(`${decoder.rememberedBytes} octets are remembered`);
    }
    const found = rows + columns.count - rowsBefore;
    t.ok(found > 0, `${name}: ${found} flows among the rubbish`);
    // The shortest record that is a flow has an address and a counter; what waited was fed before.
    t.ok(found <= (fed / 5) * 2 + limits.totalBytes, `${name}: no more than there is room for`);
  }
  const counts = exporters.map((exporter) => exporter.counts);
  for (const name of [
    'malformed_length',
    'template_malformed',
    'zero_length_record',
    'bad_version',
    'too_short',
    'set_decoded_late',
  ] as const) {
    t.ok(
      counts.some((of) => of[countIndex[name]]! > 0),
      `${name} was met`,
    );
  }
  t.ok(
    counts.every((of) => of.every((value) => Number.isSafeInteger(value) && value >= 0)),
    'every count is a number of things',
  );
  collectGarbage();
  const grown = process.memoryUsage().heapUsed - before.heapUsed;
  t.ok(grown < 40 * 2 ** 20, `the heap grew by ${(grown / 2 ** 20).toFixed(1)} MB`);
});

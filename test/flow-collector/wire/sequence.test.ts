// Loss by sequence numbers: what is lost, what is only late, and what is another exporter life.
import fc from 'fast-check';
import t from 'tap';
import { countNames } from '#flow-collector/wire/counts.ts';
import {
  createSequence,
  follow,
  type SequenceUnit,
  sequenceOfFlows,
  sequenceOfPackets,
} from '#flow-collector/wire/sequence.ts';
import { runs } from '#test/support/effort.ts';

/** Follows (number, size) in order, a millisecond apart, then enough datagrams in a row that every gap is decided. */
function followed(numbers: readonly (readonly [number, number])[], unit: SequenceUnit = sequenceOfPackets) {
  const sequence = createSequence();
  const counts = new Float64Array(countNames.length);
  let atMs = 0;
  const steps = numbers.map(([value, size]) => follow(sequence, value >>> 0, size, unit, counts, atMs++));
  const size = unit === sequenceOfFlows ? 30 : 1;
  for (let i = 0; i < 64; i++) follow(sequence, sequence.expected, size, unit, counts, atMs++);
  const of = (name: (typeof countNames)[number]) => counts[countNames.indexOf(name)];
  return { steps, lost: of(unit.lost), reordered: of('reordered'), restarts: of('exporter_restart') };
}
const packets = (...numbers: readonly number[]) => numbers.map((number) => [number, 1] as const);

t.test('the first number is where counting starts', async (t) => {
  t.match(followed(packets(4_000_000_000)), { steps: ['first'], lost: 0, restarts: 0 });
});

t.test('a gap is lost, but only once nothing fills it', async (t) => {
  t.match(followed(packets(1, 2, 5, 6)), { steps: ['first', 'next', 'ahead', 'next'], lost: 2, reordered: 0 });
  t.match(followed(packets(1, 2, 5, 3, 4, 6)), { lost: 0, reordered: 2, restarts: 0 });
  t.match(followed(packets(1, 2, 5, 4, 6, 9)), { lost: 3, reordered: 1 });
});

t.test('numbers wrap', async (t) => {
  t.match(followed(packets(2 ** 32 - 2, 2 ** 32 - 1, 0, 1)), { lost: 0, restarts: 0 });
  t.match(followed(packets(2 ** 32 - 2, 1)), { lost: 2, restarts: 0 });
  t.match(followed(packets(2 ** 32 - 2, 1, 2 ** 32 - 1)), { lost: 1, reordered: 1 });
});

t.test('an exporter that starts anew has lost nothing, whatever its number was', async (t) => {
  for (const before of [5000, 2 ** 31 + 7, 4_000_000_000]) {
    t.match(followed(packets(before, before + 1, 0, 1, 2)), { lost: 0, restarts: 1 }, String(before));
  }
});

t.test('two processes with one sequence lose nothing', async (t) => {
  const numbers = Array.from({ length: 300 }, (_, i) => (i % 2 === 0 ? 1_000_000 + i / 2 : 500 + (i - 1) / 2));
  t.equal(followed(packets(...numbers)).lost, 0);
});

t.test('a gap waits ten seconds at most, however rarely datagrams come', async (t) => {
  const sequence = createSequence();
  const counts = new Float64Array(countNames.length);
  const lost = () => counts[countNames.indexOf('lost_packets')];
  follow(sequence, 1, 1, sequenceOfPackets, counts, 0);
  follow(sequence, 4, 1, sequenceOfPackets, counts, 1000);
  follow(sequence, 5, 1, sequenceOfPackets, counts, 10_999);
  t.equal(lost(), 0);
  follow(sequence, 6, 1, sequenceOfPackets, counts, 11_000);
  t.equal(lost(), 2);
});

t.test('many gaps at once are counted too', async (t) => {
  const numbers = Array.from({ length: 40 }, (_, i) => i * 3);
  t.equal(followed(packets(...numbers)).lost, 39 * 2);
});

t.test('version 5 counts flows', async (t) => {
  const flows = (...numbers: readonly (readonly [number, number])[]) => followed(numbers, sequenceOfFlows);
  t.match(flows([0, 30], [30, 30], [60, 12], [72, 30]), { lost: 0 });
  t.match(flows([0, 30], [60, 30]), { lost: 30 });
  t.match(flows([0, 30], [60, 30], [30, 30]), { lost: 0, reordered: 1 });
  t.match(flows([0, 30], [90, 30], [60, 30]), { lost: 30, reordered: 1 });
});

t.test('any order within the window and any loss is counted exactly', async () => {
  const stream = fc
    .record({
      start: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      kept: fc.array(fc.boolean(), { minLength: 2, maxLength: 120 }),
      swaps: fc.array(fc.nat(120), { maxLength: 12 }),
    })
    .map(({ start, kept, swaps }) => {
      // The first and the last are kept, so that every loss lies between two datagrams.
      const numbers = kept.map((_, i) => i).filter((i) => kept[i] || i === 0 || i === kept.length - 1);
      const lost = kept.length - numbers.length;
      for (const at of swaps) {
        if (at < 1 || at + 1 >= numbers.length) continue;
        [numbers[at], numbers[at + 1]] = [numbers[at + 1]!, numbers[at]!];
      }
      return { numbers: numbers.map((i) => start + i), lost };
    });
  fc.assert(
    fc.property(stream, ({ numbers, lost }) => {
      const result = followed(packets(...numbers));
      return result.restarts === 0 && result.lost === lost;
    }),
    { numRuns: runs(200) },
  );
});

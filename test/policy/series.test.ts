// The steps of a usage series in zones with every kind of clock change.
import fc from 'fast-check';
import t from 'tap';
import { longestSeriesMs, seriesEdges, seriesSteps } from '#policy/series.ts';
import { dayWindow } from '#policy/time.ts';
import { localTime, quarterMs } from '#policy/zone.ts';
import { runs } from '#test/support/effort.ts';

const hourMs = 3_600_000;
const zones = [
  'UTC',
  'Europe/Berlin',
  'Asia/Kathmandu', // + 5:45
  'Asia/Kolkata', // + 5:30
  'Australia/Lord_Howe', // half an hour of summer time
  'America/Sao_Paulo', // midnight was skipped until 2019
  'Pacific/Apia', // 30 December 2011 never was
];

const lengths = (edges: readonly number[]) => edges.slice(1).map((edge, index) => (edge - edges[index]!) / hourMs);

t.test('days are calendar days of the zone, also when clocks change', async (t) => {
  const spring = seriesEdges('day', Date.UTC(2026, 2, 28, 12), Date.UTC(2026, 2, 30, 12), 'Europe/Berlin');
  t.strictSame(lengths(spring), [24, 23, 24]);
  t.equal(spring[0], Date.UTC(2026, 2, 27, 23));
  const autumn = seriesEdges('day', Date.UTC(2026, 9, 24, 22), Date.UTC(2026, 9, 25, 23), 'Europe/Berlin');
  t.strictSame(lengths(autumn), [25], 'an end on an edge begins no further day');
});

t.test('hours are those of the wall clock', async (t) => {
  const day = dayWindow(Date.UTC(2026, 9, 25, 12), 'Europe/Berlin');
  t.equal(seriesEdges('hour', day.fromMs, day.toMs, 'Europe/Berlin').length - 1, 25, 'an hour comes twice');
  const kathmandu = seriesEdges('hour', Date.UTC(2026, 5, 1, 0, 20), Date.UTC(2026, 5, 1, 1), 'Asia/Kathmandu');
  t.strictSame(kathmandu, [Date.UTC(2026, 5, 1, 0, 15), Date.UTC(2026, 5, 1, 1, 15)]);
  const howe = dayWindow(Date.UTC(2026, 3, 5, 0), 'Australia/Lord_Howe');
  const half = seriesEdges('hour', howe.fromMs, howe.toMs, 'Australia/Lord_Howe');
  t.equal(lengths(half).filter((length) => length === 1.5).length, 1, 'put back by half an hour');
});

t.test('steps have no gaps, touch the range, begin on quarters, and hours make up days', async (t) => {
  const anywhere = fc.record({
    zone: fc.constantFrom(...zones),
    step: fc.constantFrom(...seriesSteps),
    fromMs: fc.integer({ min: Date.UTC(2010, 0, 1), max: Date.UTC(2030, 0, 1) }),
    spanMs: fc.integer({ min: 1, max: 5 * 24 * hourMs }),
  });
  fc.assert(
    fc.property(anywhere, ({ zone, step, fromMs, spanMs }) => {
      const toMs = fromMs + spanMs;
      const edges = seriesEdges(step, fromMs, toMs, zone);
      const [first, second] = edges;
      t.equal(first! <= fromMs && fromMs < second!, true, 'the first step holds the beginning');
      t.equal(edges.at(-2)! < toMs && toMs <= edges.at(-1)!, true, 'the last one holds the end');
      t.equal(
        edges.every((edge) => edge % quarterMs === 0),
        true,
        'quarters',
      );
      t.equal(
        edges.every((edge, index) => index === 0 || edge > edges[index - 1]!),
        true,
        'growing',
      );
      const days = seriesEdges('day', fromMs, toMs, zone);
      const inside = days.filter((edge) => edge > first! && edge < edges.at(-1)!);
      t.strictSame(
        inside.filter((edge) => !edges.includes(edge)),
        [],
        'a day begins with a step',
      );
      if (step === 'hour') {
        const odd = edges.filter((edge) => localTime(edge, zone).minute % 60 !== 0 && !days.includes(edge));
        t.strictSame(odd, [], 'full hours');
      }
    }),
    { numRuns: runs(60) },
  );
});

t.test('the longest series has a bounded number of steps', async (t) => {
  for (const step of seriesSteps) {
    const fromMs = Date.UTC(2026, 0, 1, 12, 7);
    const steps = seriesEdges(step, fromMs, fromMs + longestSeriesMs[step], 'Europe/Berlin').length - 1;
    t.ok(steps <= (step === 'hour' ? 92 * 24 + 2 : 802), `${steps} steps`);
  }
});

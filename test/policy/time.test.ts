// Calendar windows and times of the week in zones that make them hard.
import fc from 'fast-check';
import t from 'tap';
import type { TimeOfWeek } from '#policy/fup/rules.ts';
import { calendarOf, dayWindow, type Interval, monthWindow, usageWindows, weekWindow, windowOf } from '#policy/time.ts';
import { isTimeOfWeek, nextTimeOfWeekEdge } from '#policy/time-of-week.ts';
import { isTimeZone, localTime, quarterMs } from '#policy/zone.ts';
import { runs } from '#test/support/effort.ts';

const zones = [
  'UTC',
  'Europe/Berlin',
  'Asia/Dhaka',
  'Pacific/Kiritimati',
  'America/Adak',
  'Australia/Lord_Howe',
  'America/Santiago',
  'Asia/Beirut',
  'Asia/Kathmandu',
  'Pacific/Apia',
  'Pacific/Chatham',
  'America/Havana',
  'America/St_Johns',
  'Africa/Cairo',
  'Africa/Casablanca',
  'Antarctica/Troll',
] as const;
const kinds = ['day', 'week', 'month'] as const;

const ms = (text: string) => Date.parse(text);
const texts = ({ fromMs, toMs }: Interval) => [new Date(fromMs).toISOString(), new Date(toMs).toISOString()];
const hours = ({ fromMs, toMs }: Interval) => (toMs - fromMs) / 3_600_000;

const instant = fc.integer({ min: ms('2000-01-01T00:00:00Z'), max: ms('2040-01-01T00:00:00Z') });
const calendar = fc.record({
  timeZone: fc.constantFrom(...zones),
  weekStart: fc.integer({ min: 1, max: 7 }),
  anchorDay: fc.integer({ min: 1, max: 31 }),
});

t.test('a day of Berlin has 23 hours when summer time begins and 25 when it ends', async (t) => {
  const spring = dayWindow(ms('2026-03-29T10:00:00Z'), 'Europe/Berlin');
  t.strictSame(texts(spring), ['2026-03-28T23:00:00.000Z', '2026-03-29T22:00:00.000Z']);
  t.equal(hours(spring), 23);
  const autumn = dayWindow(ms('2026-10-25T00:30:00Z'), 'Europe/Berlin');
  t.strictSame(texts(autumn), ['2026-10-24T22:00:00.000Z', '2026-10-25T23:00:00.000Z']);
  t.equal(hours(autumn), 25);
});

t.test('days begin at local midnight also far from UTC', async (t) => {
  t.strictSame(texts(dayWindow(ms('2026-05-01T17:59:59.999Z'), 'Asia/Dhaka')), [
    '2026-04-30T18:00:00.000Z',
    '2026-05-01T18:00:00.000Z',
  ]);
  t.strictSame(texts(dayWindow(ms('2026-05-01T10:00:00Z'), 'Pacific/Kiritimati')), [
    '2026-05-01T10:00:00.000Z',
    '2026-05-02T10:00:00.000Z',
  ]);
  t.strictSame(texts(dayWindow(ms('2026-01-01T09:59:00Z'), 'America/Adak')), [
    '2025-12-31T10:00:00.000Z',
    '2026-01-01T10:00:00.000Z',
  ]);
});

t.test('a day of Lord Howe is half an hour shorter or longer when its clock moves', async (t) => {
  t.equal(hours(dayWindow(ms('2026-10-04T00:00:00Z'), 'Australia/Lord_Howe')), 23.5);
  t.equal(hours(dayWindow(ms('2026-04-05T00:00:00Z'), 'Australia/Lord_Howe')), 24.5);
});

t.test('a day whose midnight does not exist begins at its first moment', async (t) => {
  // The clocks go from 24:00 to 01:00.
  t.strictSame(texts(dayWindow(ms('2024-09-08T12:00:00Z'), 'America/Santiago')), [
    '2024-09-08T04:00:00.000Z',
    '2024-09-09T03:00:00.000Z',
  ]);
  t.strictSame(texts(dayWindow(ms('2024-03-31T12:00:00Z'), 'Asia/Beirut')), [
    '2024-03-30T22:00:00.000Z',
    '2024-03-31T21:00:00.000Z',
  ]);
});

t.test('a date that a zone skipped is part of no day: the neighbours touch', async (t) => {
  const before = dayWindow(ms('2011-12-30T09:59:59Z'), 'Pacific/Apia');
  const after = dayWindow(ms('2011-12-30T10:00:00Z'), 'Pacific/Apia');
  t.equal(before.toMs, after.fromMs);
  t.equal(localTime(before.fromMs, 'Pacific/Apia').day, 29);
  t.equal(localTime(after.fromMs, 'Pacific/Apia').day, 31);
});

t.test('a week begins on the first weekday of the tenant', async (t) => {
  const sunday = ms('2026-11-22T12:00:00Z');
  t.strictSame(texts(weekWindow(sunday, 'UTC', 1)), ['2026-11-16T00:00:00.000Z', '2026-11-23T00:00:00.000Z']);
  t.strictSame(texts(weekWindow(sunday, 'UTC', 7)), ['2026-11-22T00:00:00.000Z', '2026-11-29T00:00:00.000Z']);
  t.strictSame(texts(weekWindow(sunday, 'UTC', 6)), ['2026-11-21T00:00:00.000Z', '2026-11-28T00:00:00.000Z']);
});

t.test('a billing day that a month lacks is its last day and comes back in the next month', async (t) => {
  const starts = (anchorDay: number, year: number) => {
    const found: string[] = [];
    for (let at = ms(`${year}-01-15T00:00:00Z`); found.length < 5; ) {
      const window = monthWindow(at, 'UTC', anchorDay);
      found.push(new Date(window.fromMs).toISOString().slice(0, 10));
      at = window.toMs;
    }
    return found;
  };
  t.strictSame(starts(31, 2026), ['2025-12-31', '2026-01-31', '2026-02-28', '2026-03-31', '2026-04-30']);
  t.strictSame(starts(30, 2028), ['2027-12-30', '2028-01-30', '2028-02-29', '2028-03-30', '2028-04-30']);
  t.strictSame(starts(29, 2026), ['2025-12-29', '2026-01-29', '2026-02-28', '2026-03-29', '2026-04-29']);
  t.strictSame(starts(15, 2026), ['2026-01-15', '2026-02-15', '2026-03-15', '2026-04-15', '2026-05-15']);
});

t.test('windows contain their instant, tile time and have their edges on quarters of an hour UTC', async () => {
  fc.assert(
    fc.property(instant, calendar, fc.constantFrom(...kinds), (at, calendar, kind) => {
      const window = windowOf(kind, at, calendar);
      if (!(window.fromMs <= at && at < window.toMs)) return false;
      if (window.fromMs % quarterMs !== 0 || window.toMs % quarterMs !== 0) return false;
      const before = windowOf(kind, window.fromMs - 1, calendar);
      const after = windowOf(kind, window.toMs, calendar);
      const middle = Math.floor((window.fromMs + window.toMs) / 2);
      const same = [window.fromMs, middle, window.toMs - 1].every((inside) => {
        const again = windowOf(kind, inside, calendar);
        return again.fromMs === window.fromMs && again.toMs === window.toMs;
      });
      return same && before.toMs === window.fromMs && after.fromMs === window.toMs;
    }),
    { numRuns: runs(1500) },
  );
});

t.test('a window begins with the first moment of its date', async () => {
  fc.assert(
    fc.property(instant, calendar, fc.constantFrom(...kinds), (at, calendar, kind) => {
      const { fromMs } = windowOf(kind, at, calendar);
      const first = localTime(fromMs, calendar.timeZone);
      const last = localTime(fromMs - 1, calendar.timeZone);
      // Newfoundland moved its clocks at 00:01 until 2011: there a midnight came twice.
      const midnight = first.minute === 0 || first.day !== last.day;
      if (!midnight) return false;
      if (kind === 'week') return first.weekday === calendar.weekStart || calendar.timeZone === 'Pacific/Apia';
      return kind === 'day' || first.day <= calendar.anchorDay || calendar.timeZone === 'Pacific/Apia';
    }),
    { numRuns: runs(1500) },
  );
});

t.test('the ledger gets the window of the instant and the one before it', async (t) => {
  const windows = usageWindows(ms('2026-11-21T12:00:00Z'), 'UTC', 1, 10);
  t.strictSame(windows.day.map(texts), [
    ['2026-11-20T00:00:00.000Z', '2026-11-21T00:00:00.000Z'],
    ['2026-11-21T00:00:00.000Z', '2026-11-22T00:00:00.000Z'],
  ]);
  t.strictSame(windows.week.map(texts), [
    ['2026-11-09T00:00:00.000Z', '2026-11-16T00:00:00.000Z'],
    ['2026-11-16T00:00:00.000Z', '2026-11-23T00:00:00.000Z'],
  ]);
  t.strictSame(windows.month.map(texts), [
    ['2026-10-10T00:00:00.000Z', '2026-11-10T00:00:00.000Z'],
    ['2026-11-10T00:00:00.000Z', '2026-12-10T00:00:00.000Z'],
  ]);
});

t.test('with an earlier instant the ledger gets every window since, without gaps', async () => {
  const spans = fc.record({ at: instant, backMs: fc.integer({ min: 0, max: 40 * 86_400_000 }), calendar });
  fc.assert(
    fc.property(spans, ({ at, backMs, calendar }) => {
      const since = at - backMs;
      const windows = usageWindows(at, calendar.timeZone, calendar.weekStart, calendar.anchorDay, since);
      return kinds.every((kind) => {
        const list = windows[kind];
        const touching = list.every((window, index) => index === 0 || list[index - 1]!.toMs === window.fromMs);
        const last = list.at(-1)!;
        const first = list[0]!;
        const noneTooMany = list.length === 2 || list[1]!.fromMs > since;
        return (
          touching && last.fromMs <= at && at < last.toMs && first.fromMs <= since && list.length >= 2 && noneTooMany
        );
      });
    }),
    { numRuns: runs(200) },
  );
});

t.test('asking again within a day gives the same windows, made once', async (t) => {
  const noon = ms('2026-11-21T12:00:00Z');
  const first = usageWindows(noon, 'Europe/Berlin', 1, 15);
  t.equal(usageWindows(noon + 3_600_000, 'Europe/Berlin', 1, 15), first);
  usageWindows(noon - 86_400_000, 'Europe/Berlin', 1, 15);
  t.equal(usageWindows(noon, 'Europe/Berlin', 1, 15), first, 'a late record does not push it out');
  t.equal(dayWindow(noon, 'Europe/Berlin'), first.day[1]);
});

t.test('the calendar of a subscription comes from its tenant and its billing day', async (t) => {
  t.strictSame(calendarOf({ timeZone: 'Asia/Dhaka', weekStart: 6 }, { anchorDay: 9 }), {
    timeZone: 'Asia/Dhaka',
    weekStart: 6,
    anchorDay: 9,
  });
});

t.test('only names of the time zone database are zones', async (t) => {
  t.ok(isTimeZone('America/Argentina/Buenos_Aires'));
  for (const text of ['', 'Mars/Olympus', 'Europe', 'Europe/Berlin; DROP']) t.notOk(isTimeZone(text), text);
  t.throws(() => dayWindow(0, 'Mars/Olympus'), RangeError);
});

const evenings: TimeOfWeek = { weekdays: [1, 2, 3, 4, 5], fromMinute: 18 * 60, toMinute: 23 * 60 };
const nights: TimeOfWeek = { weekdays: [5, 6], fromMinute: 22 * 60, toMinute: 6 * 60 };

t.test('a time span holds from its first minute until before its last', async (t) => {
  const inside = (text: string) => isTimeOfWeek(evenings, ms(text), 'UTC');
  t.notOk(inside('2026-11-20T17:59:59.999Z'));
  t.ok(inside('2026-11-20T18:00:00Z'), 'Friday');
  t.ok(inside('2026-11-20T22:59:59.999Z'));
  t.notOk(inside('2026-11-20T23:00:00Z'));
  t.notOk(inside('2026-11-21T19:00:00Z'), 'Saturday');
});

t.test('a span that passes midnight belongs to the day on which it begins', async (t) => {
  const inside = (text: string) => isTimeOfWeek(nights, ms(text), 'UTC');
  t.notOk(inside('2026-11-20T05:00:00Z'), 'Friday morning belongs to Thursday');
  t.ok(inside('2026-11-20T22:00:00Z'), 'Friday night');
  t.ok(inside('2026-11-22T05:59:00Z'), 'Sunday morning belongs to Saturday');
  t.notOk(inside('2026-11-22T22:00:00Z'), 'Sunday night');
});

t.test('the next edge of a span is when it opens or closes', async (t) => {
  const next = (span: TimeOfWeek, text: string, zone = 'UTC') => {
    const edge = nextTimeOfWeekEdge(span, ms(text), zone);
    return edge === null ? null : new Date(edge).toISOString();
  };
  t.equal(next(evenings, '2026-11-20T12:34:56.789Z'), '2026-11-20T18:00:00.000Z');
  t.equal(next(evenings, '2026-11-20T18:00:00Z'), '2026-11-20T23:00:00.000Z');
  t.equal(next(evenings, '2026-11-20T23:00:00Z'), '2026-11-23T18:00:00.000Z', 'over the weekend');
  t.equal(next(nights, '2026-11-20T23:00:00Z'), '2026-11-21T06:00:00.000Z');
  const sundays: TimeOfWeek = { weekdays: [7], fromMinute: 0, toMinute: 1440 };
  t.equal(next(sundays, '2026-11-22T00:00:00Z'), '2026-11-23T00:00:00.000Z');
  t.equal(next(sundays, '2026-11-23T00:00:00Z'), '2026-11-29T00:00:00.000Z');
  const weekend: TimeOfWeek = { weekdays: [6, 7], fromMinute: 0, toMinute: 1440 };
  t.equal(next(weekend, '2026-11-21T10:00:00Z'), '2026-11-23T00:00:00.000Z', 'midnight between two days is no edge');
  const always: TimeOfWeek = { weekdays: [1, 2, 3, 4, 5, 6, 7], fromMinute: 0, toMinute: 1440 };
  t.equal(next(always, '2026-11-21T10:00:00Z'), null);
});

t.test('where the clock jumps over an edge, the jump is the edge', async (t) => {
  const early: TimeOfWeek = { weekdays: [7], fromMinute: 150, toMinute: 300 };
  // 02:00 becomes 03:00 in Berlin on 29 March 2026: 02:30 never comes.
  t.equal(nextTimeOfWeekEdge(early, ms('2026-03-29T00:10:00Z'), 'Europe/Berlin'), ms('2026-03-29T01:00:00Z'));
  // 03:00 becomes 02:00 on 25 October: 02:30 comes twice, the span is left in between.
  const start = ms('2026-10-25T00:10:00Z');
  const edges = [ms('2026-10-25T00:30:00Z'), ms('2026-10-25T01:00:00Z'), ms('2026-10-25T01:30:00Z')];
  let at = start;
  for (const edge of edges) {
    at = nextTimeOfWeekEdge(early, at, 'Europe/Berlin') ?? 0;
    t.equal(at, edge);
  }
});

t.test('until the next edge nothing changes, and there it does', async () => {
  const span = fc.record({
    weekdays: fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
    fromMinute: fc.integer({ min: 0, max: 1440 }),
    toMinute: fc.integer({ min: 0, max: 1440 }),
  });
  fc.assert(
    fc.property(
      span,
      instant,
      fc.constantFrom(...zones),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true })),
      (span, at, zone, points) => {
        const active = isTimeOfWeek(span, at, zone);
        const edge = nextTimeOfWeekEdge(span, at, zone);
        const until = edge ?? at + 14 * 86_400_000;
        const between = points.map((point) => Math.floor(at + point * (until - 1 - at)));
        const steady = [...between, until - 1].every((inside) => isTimeOfWeek(span, inside, zone) === active);
        return steady && (edge === null || (edge > at && isTimeOfWeek(span, edge, zone) !== active));
      },
    ),
    { numRuns: runs(1500) },
  );
});

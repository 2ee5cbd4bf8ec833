// When an access server is left alone.
import t from 'tap';
import { endedLately, joinedMs, maintenanceUntil } from '#policy/nas/maintenance.ts';

t.test('an access server is left alone from the begin of a window on, before its end', async (t) => {
  const windows = [
    { fromMs: 100, untilMs: 200 },
    { fromMs: 300, untilMs: 400 },
    { fromMs: 400, untilMs: 500 },
  ];
  for (const [nowMs, untilMs] of [
    [99, undefined],
    [100, 200],
    [199, 200],
    [200, undefined],
    [300, 500],
    [450, 500],
    [500, undefined],
  ] as const)
    t.equal(maintenanceUntil(windows, nowMs), untilMs, `at ${nowMs}`);
  t.equal(maintenanceUntil(undefined, 1), undefined);
});

t.test('windows less than an hour apart last as long as from the first to the last', async (t) => {
  const hour = 3600_000;
  const windows = [
    { fromMs: 8 * hour, untilMs: 9 * hour },
    { fromMs: 2 * hour, untilMs: 4 * hour },
    { fromMs: 4.5 * hour, untilMs: 6 * hour },
  ];
  t.equal(joinedMs(windows, { fromMs: 6 * hour, untilMs: 7 * hour }), 5 * hour);
  t.equal(joinedMs(windows, { fromMs: 6.5 * hour, untilMs: 7.5 * hour }), 7 * hour);
  t.equal(joinedMs(windows, { fromMs: 10 * hour, untilMs: 11 * hour }), hour, 'an hour is a pause');
  t.equal(joinedMs([], { fromMs: 0, untilMs: hour }), hour);
});

t.test('a window has ended lately from its end on', async (t) => {
  const windows = [{ fromMs: 100, untilMs: 200 }];
  t.equal(endedLately(windows, 199, 50).length, 0);
  t.equal(endedLately(windows, 200, 50).length, 1);
  t.equal(endedLately(windows, 249, 50).length, 1);
  t.equal(endedLately(windows, 250, 50).length, 0);
});

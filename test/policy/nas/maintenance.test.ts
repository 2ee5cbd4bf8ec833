// When an access server is left alone.
import t from 'tap';
import { endedLately, maintenanceUntil } from '#policy/nas/maintenance.ts';

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

t.test('a window has ended lately from its end on', async (t) => {
  const windows = [{ fromMs: 100, untilMs: 200 }];
  t.equal(endedLately(windows, 199, 50).length, 0);
  t.equal(endedLately(windows, 200, 50).length, 1);
  t.equal(endedLately(windows, 249, 50).length, 1);
  t.equal(endedLately(windows, 250, 50).length, 0);
});

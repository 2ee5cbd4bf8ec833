// bench:radius at its smallest: generator and peers work, and what they counted is what was sent. Says nothing about speed.
import t from 'tap';
import { isLong } from '#test/support/effort.ts';
import { missing } from '#test/support/peers.ts';
import { quickRun } from './quick-run.ts';

type Total = { sent: number; answered: number; refused: number; lost: number; bad: number; verified: number };
type Run = { total: Total; countedSeconds: number | null };
type Footprint = { server: string; rssAnonBytes: number; startMs: number };
type Measured = { server: string; case: string; runs: Run[]; halfLoad: object | null; durability: string | null };

t.setTimeout(290_000);

const skip = isLong
  ? missing('taskset', 'redis-server', 'freeradius', 'freeradius-postgresql')
  : 'a run takes more than a minute: npm run test:long';

t.test('bench:radius measures Lastmile and FreeRADIUS with verified answers', { timeout: 280_000, skip }, async (t) => {
  const { measured, footprints } = (await quickRun('radius')) as { measured: Measured[]; footprints: Footprint[] };
  const [footprint] = footprints;
  t.match(footprint, { server: 'Lastmile, 2 workers', subscribers: 300, sessions: 300 });
  t.ok((footprint?.rssAnonBytes ?? 0) > 1e6, 'its memory is known');
  t.ok((footprint?.startMs ?? 0) > 0, 'and when it accepts the first login after a start');
  t.strictSame(
    measured.map((row) => `${row.server}: ${row.case}`),
    [
      'Lastmile, 2 workers: PAP',
      'Lastmile, 2 workers: CHAP',
      'Lastmile, 2 workers: accounting',
      'FreeRADIUS, users file: PAP, one source port',
      'FreeRADIUS, users file: CHAP',
      'FreeRADIUS, PostgreSQL: PAP',
      'FreeRADIUS, PostgreSQL: accounting',
      'FreeRADIUS, detail file: accounting',
      'Lastmile, 2 workers: PAP, pool and session limit',
      'FreeRADIUS, PostgreSQL: PAP, pool and session limit',
    ],
  );
  for (const { server, case: title, runs, durability } of measured) {
    for (const { total, countedSeconds } of runs) {
      t.match(total, { refused: 0, bad: 0, lost: 0 }, `${server}, ${title}: every request got its answer`);
      t.match(total, { withoutAddress: 0, doubledAddress: 0 });
      t.ok(total.answered > 0 && total.verified > 0, `${server}, ${title}: ${total.verified} replies are verified`);
      const counts = durability !== null && !server.includes('detail');
      t.equal(countedSeconds !== null, counts, `${server}, ${title}: counted or not`);
    }
  }
  t.ok(
    measured.some(({ halfLoad }) => halfLoad),
    'requests at even distances are measured too',
  );
});

// bench:storm at its smallest: everybody comes online at Lastmile, whatever their password is stored as. Says nothing about speed.
import t from 'tap';
import { isLong } from '#test/support/effort.ts';
import { missing } from '#test/support/peers.ts';
import { quickRun } from './quick-run.ts';

type Counts = { requests: number; answered: number; refused: number; bad: number };
type Group = { subscribers: number; ninetyPercentMs: number | null };
type Measured = {
  server: string;
  online: number;
  reported: number;
  logins: Counts;
  starts: Counts;
  quick: Group;
  slow: Group;
  interims: { leastS: number; mostS: number } | null;
  capacityPerSecond: number;
};

t.setTimeout(290_000);

const skip = isLong
  ? missing('taskset', 'redis-server', 'freeradius', 'freeradius-postgresql')
  : 'a run takes most of a minute: npm run test:long';

t.test('bench:storm brings everybody online and has every session reported', { timeout: 280_000, skip }, async (t) => {
  const { measured } = (await quickRun('storm')) as { measured: Measured[] };
  t.strictSame(
    measured.map(({ server }) => server),
    ['Lastmile, 2 workers', 'FreeRADIUS, PostgreSQL'],
  );
  for (const { server, online, reported, logins, starts, quick, slow, capacityPerSecond } of measured) {
    t.equal(quick.subscribers + slow.subscribers, 300, server);
    t.ok(slow.subscribers > 0 && slow.ninetyPercentMs !== null, `${server}: passwords stored as slow hashes work`);
    t.match(logins, { answered: online, refused: 0, bad: 0 }, `${server}: each login is answered once`);
    t.match(starts, { answered: reported, refused: 0, bad: 0 }, `${server}: each Start is acknowledged`);
    t.ok(capacityPerSecond > 0);
  }
  const [ours] = measured;
  t.equal(ours?.online, 300);
  t.equal(ours?.reported, 300);
  t.ok((ours?.interims?.mostS ?? 0) > (ours?.interims?.leastS ?? 0), 'interim reports do not come in step');
});

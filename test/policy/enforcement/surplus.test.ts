// Which sessions end when a subscription has too many.
import t from 'tap';
import { surplusOf } from '#policy/enforcement/surplus.ts';

const session = (name: string, startedAtMs: number, classUuid = '', nasInstance = name) => ({
  ...{ name, startedAtMs, classUuid, nasInstance },
});
const names = (sessions: readonly { name: string }[]) => sessions.map(({ name }) => name).sort();

t.test('the newest logins keep their sessions', async (t) => {
  const three = [session('old', 1), session('newest', 3), session('newer', 2)];
  t.strictSame(names(surplusOf(three, 1)), ['newer', 'old']);
  t.strictSame(names(surplusOf(three, 2)), ['old']);
  t.strictSame(names(surplusOf(three, 3)), []);
});

t.test('what went silent ends before what reports', async (t) => {
  const dead = { ...session('dead', 2), silent: true };
  const three = [session('old', 1), dead, session('newest', 3)];
  t.strictSame(names(surplusOf(three, 2)), ['dead'], 'though it began later');
  t.strictSame(names(surplusOf(three, 1)), ['dead', 'old']);
  t.strictSame(names(surplusOf([session('old', 1), dead], 2)), [], 'within the limit nothing ends');
  const service = { ...session('service', 4, 'x'), silent: true };
  t.strictSame(
    names(surplusOf([session('login', 4, 'x'), service, session('old', 1)], 1)),
    ['old'],
    'of one login one reports',
  );
});

t.test('without a limit nothing ends, and of nothing either', async (t) => {
  t.strictSame(surplusOf([session('a', 1), session('b', 2)], 0), []);
  t.strictSame(surplusOf([], 1), []);
});

t.test('sessions of one login are one', async (t) => {
  const sessions = [
    session('internet', 5, 'x'),
    session('voice', 6, 'x'),
    session('old', 1, 'y'),
    session('older', 0, 'y'),
  ];
  t.strictSame(names(surplusOf(sessions, 1)), ['old', 'older']);
  t.strictSame(names(surplusOf(sessions, 2)), []);
});

t.test('a session without a Class may belong to another one of its access server', async (t) => {
  const beside = [session('old', 1, 'y', 'b'), session('service', 2, '', 'a'), session('login', 3, 'x', 'a')];
  t.strictSame(names(surplusOf(beside, 1)), ['old'], 'a service of the newest login');
  t.strictSame(names(surplusOf(beside, 2)), [], 'it takes no place');
  const later = [session('login', 1, 'x', 'a'), session('service', 2, '', 'a')];
  t.strictSame(names(surplusOf(later, 1)), [], 'a service does not end its own login');
  t.strictSame(names(surplusOf([session('login', 1, 'x', 'a'), session('again', 2, 'y', 'a')], 1)), ['login']);
  t.strictSame(names(surplusOf([session('there', 1, '', 'b'), session('here', 2, '', 'a')], 1)), ['there']);
});

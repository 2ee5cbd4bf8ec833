// Which sessions end when a subscription has too many.
import t from 'tap';
import { surplusOf } from '#policy/enforcement/surplus.ts';

const session = (name: string, startedAtMs: number, classUuid = '') => ({ name, startedAtMs, classUuid });
const names = (sessions: readonly { name: string }[]) => sessions.map(({ name }) => name).sort();

t.test('the newest logins keep their sessions', async (t) => {
  const three = [session('old', 1), session('newest', 3), session('newer', 2)];
  t.strictSame(names(surplusOf(three, 1)), ['newer', 'old']);
  t.strictSame(names(surplusOf(three, 2)), ['old']);
  t.strictSame(names(surplusOf(three, 3)), []);
});

t.test('without a limit nothing ends', async (t) => {
  t.strictSame(surplusOf([session('a', 1), session('b', 2)], 0), []);
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

// What follows for one session from what its access server confirmed, refused or never heard of.
import t from 'tap';
import { parseOutcome } from '#policy/access/outcome.ts';
import { nextStep, type Told } from '#policy/enforcement/next-step.ts';

const full = 'accept:5000000/20000000';
const slow = 'throttle:2000000/2000000:fup';
const minute = 60_000;
const quiet: Told = { desired: '', sent: '', acked: '', errorCause: '', updatedAtMs: 0, lastEventAtMs: 0, login: null };

const step = (told: Partial<Told>, desired: string, fallback = true) =>
  nextStep({ ...quiet, ...told }, parseOutcome(desired)!, { fallback });

t.test('a session that its access server does not know is left alone until it reports again', (t) => {
  const told = { desired: slow, sent: slow, acked: full, errorCause: '503', updatedAtMs: 100 * minute };
  t.match(step({ ...told, lastEventAtMs: 101 * minute }, slow), { kind: 'wait', why: 'stale' });
  t.match(step({ ...told, lastEventAtMs: 102 * minute }, slow), { kind: 'change', by: 'coa', approved: true });
  t.end();
});

t.test('what an access server refused is tried once more when the session still reports an hour later', (t) => {
  const told = { desired: slow, sent: slow, acked: full, errorCause: '401', updatedAtMs: 100 * minute };
  t.match(step({ ...told, lastEventAtMs: 160 * minute }, slow, false), { kind: 'wait', why: 'refused' });
  t.match(step({ ...told, lastEventAtMs: 161 * minute }, slow, false), { kind: 'change', by: 'coa' });
  t.end();
});

t.test('the Disconnect that follows a refused change is a change of its own', (t) => {
  const told = { desired: slow, sent: slow, acked: full, errorCause: '401' };
  t.match(step(told, slow), { kind: 'change', by: 'disconnect', approved: false });
  t.match(step({ ...told, sent: 'disconnect' }, slow), { kind: 'wait', why: 'refused' });
  t.match(step({ ...told, sent: 'disconnect', errorCause: 'timeout' }, slow), { kind: 'change', approved: true });
  t.end();
});

t.test('nobody is disconnected for what they may already have', (t) => {
  const told = { desired: full, sent: full, errorCause: '401' };
  t.match(step(told, full), { kind: 'wait', why: 'refused' }, 'nothing known says that it is not the full speed');
  t.match(step({ ...told, acked: slow }, full), { kind: 'change', by: 'disconnect' }, 'it is known to be slower');
  t.end();
});

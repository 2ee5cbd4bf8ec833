// What follows for one session from what its access server confirmed, refused or never heard of.
import t from 'tap';
import { parseOutcome } from '#policy/access/outcome.ts';
import { nextStep, type Told } from '#policy/enforcement/next-step.ts';
import type { NasProfile } from '#policy/nas/profile.ts';

const full = 'accept:5000000/20000000';
const slow = 'throttle:2000000/2000000:fup';
const minute = 60_000;
const quiet: Told = {
  ...{ desired: '', sent: '', acked: '', errorCause: '', updatedAtMs: 0, lastEventAtMs: 0 },
  ...{ login: null, answered: false },
};

const step = (told: Partial<Told>, desired: string, fallback = true, live: NasProfile['live'] = 'always') =>
  nextStep({ ...quiet, ...told }, parseOutcome(desired)!, { fallback, live });

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

t.test('where an access server changes no session, the session is ended and its next login gets the new speed', (t) => {
  const told = { login: parseOutcome(full)! };
  t.match(step(told, slow, true, 'never'), {
    kind: 'change',
    by: 'disconnect',
    from: parseOutcome(full),
    approved: false,
  });
  const asked = { ...told, desired: slow, sent: 'disconnect' };
  t.match(
    step(asked, slow, true, 'never'),
    { kind: 'change', by: 'disconnect', approved: true },
    'it was not answered',
  );
  t.match(step({ ...asked, acked: 'disconnect' }, slow, true, 'never'), { kind: 'wait', why: 'ending' });
  t.match(step({ ...asked, errorCause: '401' }, slow, true, 'never'), { kind: 'wait', why: 'refused' });
  t.match(step(told, full, true, 'never'), { kind: 'settled' });
  t.match(step({}, full, true, 'never'), { kind: 'wait' }, 'it may well have the full speed');
  t.match(step({}, slow, true, 'never'), { kind: 'change', by: 'disconnect' });
  t.match(step({ answered: true }, full, true, 'never'), { kind: 'change', by: 'disconnect' }, 'its login got another');
  t.end();
});

t.test('where a change names what ends, only a session of which that is known is changed', (t) => {
  t.match(step({ login: parseOutcome(full)! }, slow, true, 'when_known'), { kind: 'change', by: 'coa' });
  t.match(step({ acked: full }, slow, true, 'when_known'), { kind: 'change', by: 'coa' });
  t.match(step({}, slow, true, 'when_known'), { kind: 'change', by: 'disconnect' });
  t.match(step({}, full, true, 'when_known'), { kind: 'wait' });
  t.match(step({ acked: full }, 'reject:expired', true, 'when_known'), { kind: 'change', by: 'disconnect' });
  t.end();
});

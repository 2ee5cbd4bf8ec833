// Calls that are waited for only so long.
import t from 'tap';
import { systemClock } from '#ops/runtime/clock.ts';
import { createPatience } from '#ops/runtime/patience.ts';

t.test('each call settles by itself or when its own time is over, however many there are', async (t) => {
  const wait = createPatience(systemClock, 'it took too long');
  const inMs = (ms: number) => systemClock.monotonicMs() + ms;
  const never = new Promise<string>(() => undefined);
  const late = wait(never, inMs(30));
  const later = wait(never, inMs(60));
  t.equal(await wait(Promise.resolve('an answer'), inMs(30)), 'an answer');
  await t.rejects(wait(Promise.reject(new Error('away')), inMs(30)), { message: 'away' });
  const first = await Promise.race([late.catch(() => 'late'), later.catch(() => 'later')]);
  t.equal(first, 'late', 'the one with less time');
  await t.rejects(late, { message: 'it took too long' });
  await t.rejects(later, { message: 'it took too long' });
  const again = wait(never, inMs(10));
  await t.rejects(again, { message: 'it took too long' }, 'also after nothing was waited for');
});

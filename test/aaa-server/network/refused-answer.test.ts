// The stay in a walled garden instead of a reject: what the Accept carries, and that no flood of refused logins gets more of them.
import t from 'tap';
import { verifyClass } from '#aaa-server/accounting/class.ts';
import { createRefusedAnswer } from '#aaa-server/auth/refused-answer.ts';
import { parseRefusedLogins } from '#policy/access/refused-login.ts';
import { nasOf } from '#test/aaa-server/support/isp.ts';

const classKey = Buffer.alloc(32, 7);

function setup(rules: object, workers = 1) {
  const parsed = parseRefusedLogins(rules);
  if (!parsed.ok) throw new Error(parsed.problem);
  const clock = { nowMs: 0 };
  const tenant = {
    id: 1,
    slug: 'x',
    timeZone: 'UTC',
    weekStart: 1,
    mode: 'enforce' as const,
    refusedLogins: parsed.value,
  };
  const answer = createRefusedAnswer({
    ...{ snapshot: { tenant: () => tenant }, clock: { monotonicMs: () => clock.nowMs }, classKey, workers },
    uuid: () => 'ab'.repeat(16),
  });
  return { answer, clock };
}

t.test('the Accept fences, redirects, ends soon, and names nobody', async (t) => {
  const stay = {
    framed_pool: 'garden',
    address_list: 'unpaid',
    portal_url: 'https://pay.example',
    session_timeout_s: 120,
  };
  const { answer } = setup({ expired: stay });
  const attributes = answer(nasOf(), 'expired') ?? [];
  t.strictSame(
    attributes.slice(0, -1).map(({ vendor, type, value }) => [vendor, type, value]),
    [
      [14988, 8, '1M/1M'],
      [0, 88, 'garden'],
      [14988, 19, 'unpaid'],
      [14122, 4, 'https://pay.example'],
      [0, 27, 120],
    ],
  );
  const last = attributes.at(-1);
  t.match(last, { vendor: 0, type: 25 });
  t.match(verifyClass(classKey, 1, Buffer.from(last?.value as Uint8Array)), { subscriptionId: 0 });
  const generic = answer(nasOf({ vendor: 'generic' }), 'expired') ?? [];
  t.ok(generic.some(({ vendor, type, value }) => vendor === 0 && type === 11 && value === 'unpaid'));
  t.equal(answer(nasOf(), 'unknown_user'), null);
});

t.test('where nothing fences the stay it is a reject', async (t) => {
  const byList = setup({ expired: { address_list: 'unpaid' } });
  t.equal(byList.answer(nasOf({ vendor: 'accel-ppp' }), 'expired'), null, 'its Filter-Id is the speed');
  const both = setup({ expired: { address_list: 'unpaid', framed_pool: 'garden' } });
  const attributes = both.answer(nasOf({ vendor: 'accel-ppp' }), 'expired') ?? [];
  const told = attributes.filter(({ vendor, type }) => vendor === 0 && (type === 11 || type === 88));
  t.strictSame(
    told.map(({ value }) => value),
    ['1000/1000', 'garden'],
  );
});

t.test('so many stays at once and no more; each ends by itself', async (t) => {
  const { answer, clock } = setup({ unknown_user: { framed_pool: 'g', session_timeout_s: 60, at_once: 6 } }, 2);
  const granted = (tries: number) =>
    Array.from({ length: tries }, () => answer(nasOf(), 'unknown_user')).filter(Boolean).length;
  t.equal(granted(10_000), 3, 'a worker has its share');
  clock.nowMs = 59_999;
  t.equal(granted(100), 0);
  clock.nowMs = 60_000;
  t.equal(granted(100), 3);
});

// What becomes of refused logins: who may stay in the garden, and which rules are taken.
import t from 'tap';
import { rejectReasons } from '#policy/access/outcome.ts';
import { parseRefusedLogins, type RefusedLogins, stayOf } from '#policy/access/refused-login.ts';

function rules(value: unknown): RefusedLogins {
  const parsed = parseRefusedLogins(value);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.value;
}

const stay = { framed_pool: 'garden' };

t.test('only what the tenant names gets a stay', async (t) => {
  t.equal(stayOf(undefined, 'unknown_user'), null);
  t.equal(stayOf(rules({}), 'unknown_user'), null);
  const some = rules({ unknown_user: stay, blocked: { address_list: 'unpaid', session_timeout_s: 60, at_once: 7 } });
  t.match(stayOf(some, 'unknown_user'), {
    refusal: 'unknown_user',
    stay: { framedPool: 'garden', addressList: '', portalUrl: '', sessionTimeoutS: 300, atOnce: 100 },
  });
  t.match(stayOf(some, 'hold_non_payment'), { refusal: 'blocked', stay: { addressList: 'unpaid', atOnce: 7 } });
  t.equal(stayOf(some, 'wrong_password'), null);
  t.equal(stayOf(some, 'expired'), null);
});

t.test('fraud, abuse and what has ended are rejected whatever the tenant says', async (t) => {
  const all = rules({ unknown_user: stay, wrong_password: stay, blocked: stay, expired: stay });
  const staying = rejectReasons.filter((reason) => stayOf(all, reason));
  t.strictSame(staying, ['customer_blocked', 'hold_non_payment', 'hold_admin', 'expired']);
  for (const reason of ['pool_exhausted', 'session_limit', 'mac_not_allowed', 'no_password', 'constructor'])
    t.equal(stayOf(all, reason), null, reason);
});

t.test('a stay that nothing fences, or that no attribute can carry, is refused', async (t) => {
  const wrong: readonly [unknown, RegExp][] = [
    [[], /no object/],
    [{ everybody: stay }, /none of/],
    [{ blocked: 1 }, /blocked is no object/],
    [{ blocked: { portal_url: 'https://pay.example' } }, /nothing would fence it/],
    [{ blocked: { framed_pool: 'two words' } }, /name/],
    [{ blocked: { ...stay, portal_url: 'javascript:alert(1)' } }, /no URL/],
    [{ blocked: { ...stay, portal_url: `https://${'x'.repeat(240)}` } }, /portal_url/],
    [{ blocked: { ...stay, session_timeout_s: 86_400 } }, /session_timeout_s/],
    [{ blocked: { ...stay, at_once: 0 } }, /at_once/],
    [{ blocked: { ...stay, up_bps: 1e9 } }, /speed/],
  ];
  for (const [value, problem] of wrong) {
    const parsed = parseRefusedLogins(value);
    t.match(parsed, { ok: false, problem }, JSON.stringify(value));
  }
});

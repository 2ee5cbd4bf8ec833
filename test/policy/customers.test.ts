// Account numbers, money and catalog speeds: what goes in comes out, and mistakes are noticed.
import fc from 'fast-check';
import t from 'tap';
import { accountNumber, isAccountNumber } from '#policy/customers/account-number.ts';
import { mayFollow, subscriptionStatuses } from '#policy/customers/subscription-status.ts';
import { bpsOfMbps, mbpsOfBps } from '#policy/mbps.ts';
import { formatMoney, minorDigits, parseMoney } from '#policy/money.ts';

t.test('an account number has six to twelve digits and a check digit', async (t) => {
  t.equal(accountNumber(10_000), '100008');
  t.ok(isAccountNumber('79927398713'), 'the example of the standard');
  fc.assert(fc.property(fc.integer({ min: 10_000, max: 99_999_999_999 }), (n) => isAccountNumber(accountNumber(n))));
  t.throws(() => accountNumber(9999));
});

t.test('one mistyped digit and two neighbours swapped are noticed', async (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 10_000, max: 99_999_999_999 }),
      fc.nat(),
      fc.integer({ min: 1, max: 9 }),
      (sequence, at, shift) => {
        const digits = [...accountNumber(sequence)];
        const place = at % digits.length;
        digits[place] = String((Number(digits[place]) + shift) % 10);
        return !isAccountNumber(digits.join(''));
      },
    ),
  );
  t.notOk(isAccountNumber(accountNumber(12_345).replace('12', '21')));
});

t.test('money is read and written with the decimals of its currency', async (t) => {
  t.equal(parseMoney('29.9', 'USD'), 2990n);
  t.equal(parseMoney('29.999', 'USD'), undefined);
  t.equal(parseMoney('29.999', 'KWD'), 29_999n);
  t.equal(parseMoney('29.0', 'JPY'), undefined);
  t.equal(parseMoney('1e3', 'USD'), undefined);
  t.equal(formatMoney(5n, 'USD'), '0.05');
  t.equal(formatMoney(-123n, 'JPY'), '-123');
  fc.assert(
    fc.property(
      fc.bigInt({ min: -(10n ** 14n), max: 10n ** 14n }),
      fc.constantFrom('USD', 'JPY', 'KWD', 'CLF'),
      (minor, currency) => parseMoney(formatMoney(minor, currency), currency) === minor && minorDigits(currency) >= 0,
    ),
  );
});

t.test('Mbps with up to three decimals become bits per second exactly', async (t) => {
  t.equal(bpsOfMbps(2.3), 2_300_000);
  t.equal(bpsOfMbps(0.001), 1000);
  for (const wrong of [0, -1, 0.0001, 1.0005, Number.NaN, Number.POSITIVE_INFINITY, 1e9])
    t.equal(bpsOfMbps(wrong), undefined);
  fc.assert(fc.property(fc.integer({ min: 1, max: 10_000_000_000 }), (kbps) => bpsOfMbps(kbps / 1000) === kbps * 1000));
  fc.assert(fc.property(fc.integer({ min: 1, max: 10_000_000_000 }), (kbps) => mbpsOfBps(kbps * 1000) === kbps / 1000));
});

t.test('nothing follows terminated, and every status can end', async (t) => {
  for (const status of subscriptionStatuses) {
    t.ok(mayFollow(status, 'terminated'));
    t.equal(mayFollow('terminated', status), status === 'terminated');
  }
});

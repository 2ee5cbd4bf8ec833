// What operators add to replies beside what policy decides.
import t from 'tap';
import type { NasAttribute } from '#policy/nas/profile.ts';
import { withAdded } from '#policy/nas/reply-attributes.ts';

const of = (vendor: number, type: number, value: string | number): NasAttribute => ({ vendor, type, value });
const decided = [of(14988, 8, '5M/20M'), of(0, 8, 0x0a000007)];

t.test('nothing added leaves the very list of policy', async (t) => {
  t.equal(withAdded(decided), decided);
  t.equal(withAdded(decided, [], undefined), decided);
});

t.test('a subscription is heard before its tariff, a tariff before the access server', async (t) => {
  const nas = [of(0, 88, 'nas'), of(0, 11, 'nas'), of(0, 28, 1)];
  const tariff = [of(0, 88, 'tariff'), of(0, 11, 'tariff'), of(0, 11, 'tariff too')];
  const subscription = [of(0, 88, 'subscription')];
  t.strictSame(withAdded(decided, nas, tariff, subscription), [
    ...decided,
    of(0, 28, 1),
    of(0, 11, 'tariff'),
    of(0, 11, 'tariff too'),
    of(0, 88, 'subscription'),
  ]);
});

t.test('where policy has spoken nobody else is heard', async (t) => {
  t.strictSame(withAdded(decided, [of(14988, 8, '1G/1G'), of(0, 8, 1), of(0, 28, 9)], undefined, undefined), [
    ...decided,
    of(0, 28, 9),
  ]);
});

t.test('texts of pairs count by their name, whoever they are for', async (t) => {
  const own = [of(9, 1, 'subscriber:sub-qos-policy-in=UP5')];
  const added = [
    of(9, 1, 'ip:sub-qos-policy-in=UNLIMITED'),
    { vendor: 9, type: 1, value: Buffer.from('ip:inacl=101') },
    of(9, 1, 'ip:addr-pool=home'),
  ];
  t.strictSame(withAdded(own, added, [of(9, 1, 'ip:addr-pool=office')]), [
    ...own,
    added[1],
    of(9, 1, 'ip:addr-pool=office'),
  ]);
});

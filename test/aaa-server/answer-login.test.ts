// The attributes of an Access-Accept: the speed as the access server is told it, and what operators add.
import t from 'tap';
import { createAnswerLogin } from '#aaa-server/radius/answer-login.ts';
import type { NasRecord, SubscriptionRecord } from '#aaa-server/subscribers/records.ts';
import type { NasAttribute } from '#policy/nas/profile.ts';
import { createIsp, keyring, nasOf } from './support/isp.ts';

/** A tariff of 5 Mbps up and 20 down. */
function answer(nas: Partial<NasRecord>, subscription: Partial<SubscriptionRecord> = {}) {
  const isp = createIsp();
  const subscriptionId = isp.addSubscriber('anna', 'secret', subscription);
  const nearest: string[] = [];
  const login = createAnswerLogin({
    snapshot: isp.snapshot,
    clock: { nowMs: () => Date.now() },
    classKey: keyring.derive('class'),
    feedSilence: { toleratedMs: 900_000, extraGraceMs: 0 },
    random: () => 0.5,
    uuid: () => '0'.repeat(32),
    onNearestSpeed: (record, outcome) => nearest.push(`${record.vendor} ${outcome}`),
  });
  const credential = isp.snapshot.credential(1, '', 'anna');
  if (!credential || credential.subscriptionId !== subscriptionId) throw new Error('no credential');
  return { answer: login(nasOf(nas), credential), nearest };
}

const text = (vendor: number, type: number, value: string): NasAttribute => ({
  vendor,
  type,
  value: Buffer.from(value),
});

t.test('a speed with a policy is told by its name', async (t) => {
  const policies = [{ upBps: 5e6, downBps: 20e6, name: 'basic', upName: null }];
  const { answer: given, nearest } = answer({ vendor: 'nokia', policies });
  t.match(given, {
    kind: 'accept',
    attributes: [{ vendor: 6527, type: 13, value: 'basic' }, { type: 85 }, { type: 25 }],
  });
  t.same(nearest, []);
});

t.test('a speed without a policy is told as the next lower one, and somebody hears of it', async (t) => {
  const policies = [
    { upBps: 5e6, downBps: 10e6, name: 'slower', upName: null },
    { upBps: 9e6, downBps: 50e6, name: 'faster', upName: null },
  ];
  const { answer: given, nearest } = answer({ vendor: 'nokia', policies });
  t.match(given, { kind: 'accept', attributes: [{ value: 'slower' }] });
  t.same(nearest, ['nokia accept:5000000/20000000']);
});

t.test('without any policy there is no Accept: it would be without a limit', async (t) => {
  for (const vendor of ['nokia', 'cisco', 'juniper']) {
    t.strictSame(answer({ vendor }).answer, { kind: 'reject', reason: 'speed_policy_missing' }, vendor);
  }
});

t.test('what operators add stands behind what policy decides, the subscription before the access server', async (t) => {
  const nas = {
    attributes: [text(0, 88, 'nas'), text(0, 11, 'nas'), text(14988, 8, '1G/1G'), text(0, 25, 'not a Class of ours')],
  };
  const { answer: given } = answer(nas, { attributes: [text(0, 88, 'anna')] });
  if (given.kind !== 'accept') throw new Error(given.kind);
  t.match(given.attributes[0], { vendor: 14988, type: 8, value: '5M/20M' });
  t.strictSame(
    given.attributes.map(({ vendor, type }) => `${vendor}.${type}`),
    ['14988.8', '0.85', '0.25', '0.11', '0.88'],
  );
  t.strictSame(given.attributes.at(-1), text(0, 88, 'anna'));
});

// Where a change is sent, and how the session is named there.
import t from 'tap';
import { coaRequestFor } from '#aaa-server/enforcement/coa/request.ts';
import type { NasRecord } from '#aaa-server/subscribers/records.ts';
import { parseOutcome } from '#policy/access/outcome.ts';
import type { LiveSession } from '#policy/ledger/types.ts';
import { keyring, nasOf } from '#test/aaa-server/support/isp.ts';

const session: LiveSession = {
  ...{ tenantId: 1, subscriptionId: 1, partition: 0, nasId: 1, nasInstance: '1', incarnation: 1, sessionId: 's1' },
  ...{ userName: 'anna', sourceAddress: '192.0.2.1', nasIpAddress: '192.0.2.1', nasPort: '7', nasPortId: 'ge-1' },
  ...{ startedAtMs: 0, lastEventAtMs: 0, sessionTimeS: null, upBytes: 0, downBytes: 0, loginOutcomeHash: '' },
  ...{ framedIp: '100.64.0.7', framedIpv6Prefix: '', delegatedIpv6Prefix: '2001:db8:7::/48' },
  ...{ callingStationId: '02-00-5E-10-00-01', calledStationId: '' },
  enforcement: { desired: '', sent: '', acked: '', errorCause: '', updatedAtMs: 0 },
};
const throttle = parseOutcome('throttle:1000000/2000000:fup')!;
const policies = [{ upBps: 1e6, downBps: 2e6, name: 'slow', upName: null }];

function built(nas: Partial<NasRecord>, change: Partial<LiveSession> = {}, by: 'coa' | 'disconnect' = 'coa') {
  return coaRequestFor({ session: { ...session, ...change }, desired: throttle, from: null, by }, nasOf(nas), keyring);
}
const types = (nas: Partial<NasRecord>, change: Partial<LiveSession> = {}) => {
  const request = built(nas, change, 'disconnect');
  return 'reason' in request ? request.reason : request.attributes.map(({ type }) => type);
};

t.test('the port is that of the NAS, else the usual one of its vendor', async (t) => {
  t.match(built({ vendor: 'cisco', coaPort: null, policies }), { port: 1700 });
  t.match(built({ vendor: 'cisco', coaPort: 3799, policies }), { port: 3799 });
  t.match(built({ vendor: 'mikrotik', coaPort: null }), { port: 3799 });
});

t.test('while a secret is rotated it is the one that the device uses', async (t) => {
  const secretOf = (secrets: readonly string[], usesNext: boolean) => {
    const change = { session, desired: throttle, from: null, by: 'disconnect' } as const;
    const request = coaRequestFor(change, nasOf({ secrets }), keyring, usesNext);
    return 'reason' in request ? request.reason : String(request.secret.octets);
  };
  t.equal(secretOf(['current', 'next'], false), 'current');
  t.equal(secretOf(['current', 'next'], true), 'next');
  t.equal(secretOf(['current'], true), 'current', 'the rotation is over');
});

t.test(
  'Nokia is given one set of keys: the session id in its number format, else the port with an address',
  async (t) => {
    const nokia = { vendor: 'nokia', policies };
    t.strictSame(types(nokia, { sessionId: '241AFF0000003250B5F750' }), [44]);
    t.strictSame(types(nokia, { sessionId: '01-02-00-00-00-19-00-00-00-01' }), [44]);
    t.strictSame(types(nokia), [87, 8], 's1 is no number format');
    t.strictSame(types(nokia, { framedIp: '' }), [87, 123]);
    t.strictSame(types(nokia, { framedIp: '', delegatedIpv6Prefix: '', framedIpv6Prefix: '2001:db8::/64' }), [87, 97]);
    t.strictSame(types(nokia, { nasPortId: '' }), [1, 8]);
    t.equal(types(nokia, { nasPortId: '', userName: '' }), 'no_session_key');
  },
);

t.test('others are given what they look for, and nothing that may contradict it', async (t) => {
  t.strictSame(types({ vendor: 'cisco' }), [44]);
  t.strictSame(types({ vendor: 'juniper' }), [44]);
  t.strictSame(types({ vendor: 'huawei' }), [44, 1]);
  t.strictSame(types({ vendor: 'coova' }), [1, 44]);
  t.equal(types({ vendor: 'coova' }, { userName: '' }), 'no_session_key');
  t.strictSame(types({ vendor: 'accel-ppp' }), [44, 1, 8]);
  t.strictSame(types({ vendor: 'cambium' }), [44, 31]);
  t.strictSame(types({ vendor: 'edgeos' }), [1, 44, 8]);
});

t.test('a prefix names a session as its Start told it', async (t) => {
  const request = built({ vendor: 'nokia', policies }, { framedIp: '' }, 'disconnect');
  if ('reason' in request) throw new Error(request.reason);
  t.strictSame(request.attributes[1], { vendor: 0, type: 123, value: Buffer.from('003020010db80007', 'hex') });
});

t.test(
  'a speed without a policy is told as the next lower one, and said so; without any policy nothing is sent',
  async (t) => {
    const nokia = { vendor: 'nokia' };
    t.match(built({ ...nokia, policies }), { match: 'exact' });
    t.match(built({ ...nokia, policies: [{ upBps: 1e6, downBps: 1e6, name: 'slower', upName: null }] }), {
      match: 'nearest',
    });
    t.strictSame(built(nokia), { reason: 'no_speed_policy' });
    t.match(built(nokia, {}, 'disconnect'), { kind: 'disconnect' }, 'a Disconnect needs none');
  },
);

// What each vendor's access server is sent, a login and a throttle, read by Wireshark with its own dictionaries.
import { randomBytes } from 'node:crypto';
import t from 'tap';
import { buildRequest } from '#aaa-server/enforcement/coa/packet.ts';
import { coaRequestFor } from '#aaa-server/enforcement/coa/request.ts';
import { createAnswerLogin } from '#aaa-server/radius/answer-login.ts';
import type { NasRecord } from '#aaa-server/subscribers/records.ts';
import { attribute } from '#aaa-server/wire/attributes.ts';
import { authenticatorOffset } from '#aaa-server/wire/authenticators.ts';
import { createPacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { code } from '#aaa-server/wire/packet.ts';
import type { Outcome } from '#policy/access/outcome.ts';
import type { LiveSession } from '#policy/ledger/types.ts';
import type { SpeedPolicy } from '#policy/nas/configured.ts';
import { nasProfile, type Vendor, vendors } from '#policy/nas/vendors.ts';
import { createIsp, keyring, nasOf } from '#test/aaa-server/support/isp.ts';
import { missing } from '#test/support/peers.ts';
import { type Seen, type Sent, seenByTshark } from '#test/support/tshark.ts';

const secretText = 'testing123';
const secret = createSecret(Buffer.from(secretText));
const full = { upBps: 5_000_000, downBps: 20_000_000 };
const slow = { upBps: 1_000_000, downBps: 2_000_000 };
const throttle: Outcome = { kind: 'throttle', speed: slow, reason: 'fup' };
const session: LiveSession = {
  ...{ tenantId: 1, subscriptionId: 1, partition: 0, nasId: 1, nasInstance: '1', incarnation: 1 },
  ...{ sessionId: '241AFF0000003250B5F750', userName: 'anna', sourceAddress: '192.0.2.1', nasIpAddress: '192.0.2.1' },
  ...{ startedAtMs: 0, lastEventAtMs: 0, sessionTimeS: null, upBytes: 0, downBytes: 0 },
  ...{ nasPort: '7', nasPortId: 'ge-0/0/1:100', framedIp: '100.64.0.7', framedIpv6Prefix: '', delegatedIpv6Prefix: '' },
  ...{ callingStationId: '02-00-5E-10-00-01', calledStationId: 'pppoe', loginOutcomeHash: '' },
  enforcement: { desired: '', sent: '', acked: '', errorCause: '', updatedAtMs: 0 },
};
const names = (fast: string, low: string, fastUp: string | null = null, lowUp: string | null = null): SpeedPolicy[] => [
  { ...full, name: fast, upName: fastUp },
  { ...slow, name: low, upName: lowUp },
];

/** What is configured, and what Wireshark must read in the Accept and in the request that throttles. */
const expected: Readonly<
  Record<Vendor, { nas?: Partial<NasRecord>; accept: string[]; change: string[]; named: string[]; by?: 'disconnect' }>
> = {
  generic: {
    accept: ['WISPr-Bandwidth-Max-Up=5000000', 'WISPr-Bandwidth-Max-Down=20000000'],
    change: ['WISPr-Bandwidth-Max-Up=1000000', 'WISPr-Bandwidth-Max-Down=2000000'],
    named: ['User-Name=anna', 'Acct-Session-Id=241AFF0000003250B5F750', 'Framed-IP-Address=100.64.0.7', 'NAS-Port=7'],
  },
  mikrotik: {
    accept: ['Mikrotik-Rate-Limit=5M/20M'],
    change: ['Mikrotik-Rate-Limit=1M/2M'],
    named: ['User-Name=anna', 'Acct-Session-Id=241AFF0000003250B5F750', 'Framed-IP-Address=100.64.0.7'],
  },
  cisco: {
    nas: { policies: names('DOWN20', 'DOWN2', 'UP5', 'UP1') },
    accept: ['Cisco-AVPair=subscriber:sub-qos-policy-in=UP5', 'Cisco-AVPair=subscriber:sub-qos-policy-out=DOWN20'],
    change: ['Cisco-AVPair=subscriber:sub-qos-policy-in=UP1', 'Cisco-AVPair=subscriber:sub-qos-policy-out=DOWN2'],
    named: ['Acct-Session-Id=241AFF0000003250B5F750'],
  },
  juniper: {
    // Wireshark knows the vendor by its first name.
    nas: { policies: names('net(20m,5m)', 'net(2m,1m)') },
    accept: ['Unisphere-Service-Activate=net(20m,5m)'],
    change: ['Unisphere-Service-Deactivate=net(20m,5m)', 'Unisphere-Service-Activate=net(2m,1m)'],
    named: ['Acct-Session-Id=241AFF0000003250B5F750'],
  },
  huawei: {
    accept: [
      'Huawei-Input-Average-Rate=5000000',
      'Huawei-Input-Peak-Rate=5000000',
      'Huawei-Output-Average-Rate=20000000',
      'Huawei-Output-Peak-Rate=20000000',
    ],
    change: ['Huawei-Input-Average-Rate=1000000', 'Huawei-Output-Average-Rate=2000000'],
    named: ['Acct-Session-Id=241AFF0000003250B5F750', 'User-Name=anna'],
  },
  nokia: {
    nas: { policies: names('sla-20-5', 'sla-2-1') },
    accept: ['Alc-SLA-Prof-Str=sla-20-5'],
    change: ['Alc-SLA-Prof-Str=sla-2-1'],
    named: ['Acct-Session-Id=241AFF0000003250B5F750'],
  },
  zte: {
    accept: ['ZTE-Rate-Ctrl-SCR-Up=5000', 'ZTE-Rate-Ctrl-SCR-Down=20000'],
    change: ['ZTE-Rate-Ctrl-SCR-Up=1000', 'ZTE-Rate-Ctrl-SCR-Down=2000'],
    named: ['Acct-Session-Id=241AFF0000003250B5F750', 'User-Name=anna'],
  },
  edgeos: {
    accept: ['WISPr-Bandwidth-Max-Up=5000000', 'WISPr-Bandwidth-Max-Down=20000000'],
    change: [],
    named: ['User-Name=anna', 'Acct-Session-Id=241AFF0000003250B5F750', 'Framed-IP-Address=100.64.0.7'],
    by: 'disconnect',
  },
  cambium: {
    accept: ['WISPr-Bandwidth-Max-Up=5000000', 'WISPr-Bandwidth-Max-Down=20000000'],
    change: ['WISPr-Bandwidth-Max-Up=1000000', 'WISPr-Bandwidth-Max-Down=2000000'],
    named: ['Acct-Session-Id=241AFF0000003250B5F750', 'Calling-Station-Id=02-00-5E-10-00-01'],
  },
  coova: {
    accept: ['ChilliSpot-Bandwidth-Max-Up=5000', 'ChilliSpot-Bandwidth-Max-Down=20000'],
    change: ['ChilliSpot-Bandwidth-Max-Up=1000', 'ChilliSpot-Bandwidth-Max-Down=2000'],
    named: ['User-Name=anna', 'Acct-Session-Id=241AFF0000003250B5F750'],
  },
  'accel-ppp': {
    accept: ['Filter-Id=20000/5000'],
    change: ['Filter-Id=2000/1000'],
    named: ['Acct-Session-Id=241AFF0000003250B5F750', 'User-Name=anna', 'Framed-IP-Address=100.64.0.7'],
  },
};

/** A login: the NAS's question, and our answer to it. */
function login(nas: NasRecord): Sent[] {
  const isp = createIsp();
  const subscriptionId = isp.addSubscriber('anna', 'secret');
  const answer = createAnswerLogin({
    snapshot: isp.snapshot,
    clock: { nowMs: () => Date.now() },
    classKey: keyring.derive('class'),
    feedSilence: { toleratedMs: 900_000, extraGraceMs: 0 },
    random: () => 0.5,
    uuid: () => '0'.repeat(32),
    onNearestSpeed: (_nas, outcome) => {
      throw new Error(`no policy of ${outcome}`);
    },
  })(nas, {
    tenantId: 1,
    realm: '',
    userName: 'anna',
    subscriptionId,
    scheme: 'clear',
    passwordCipher: Buffer.alloc(0),
  });
  if (answer.kind !== 'accept') throw new Error(JSON.stringify(answer));
  const request = createPacketBuilder();
  request.begin(code.accessRequest, 7);
  request.add(attribute.userName, 'anna');
  request.messageAuthenticator();
  if (!request.finishAccessRequest(randomBytes(16), secret)) throw new Error('too long');
  const asked = Buffer.from(request.data.subarray(0, request.length()));
  const reply = createPacketBuilder();
  reply.begin(code.accessAccept, 7);
  reply.messageAuthenticator();
  for (const { vendor, type, value } of answer.attributes) {
    if (vendor === 0) reply.add(type, value);
    else reply.addVendor(vendor, type, value);
  }
  if (!reply.finishReply(asked, authenticatorOffset, secret)) throw new Error('too long');
  return [
    { data: asked, fromPort: 40_000, toPort: 1812 },
    { data: Buffer.from(reply.data.subarray(0, reply.length())), fromPort: 1812, toPort: 40_000 },
  ];
}

function throttled(nas: NasRecord, by: 'coa' | 'disconnect'): Sent {
  const change = { session, desired: throttle, from: { kind: 'accept' as const, speed: full }, by };
  const request = coaRequestFor(change, nas, keyring);
  if ('reason' in request) throw new Error(request.reason);
  const data = buildRequest(request, 9, Date.now());
  if (!data) throw new Error('too long');
  return { data, fromPort: 40_001, toPort: request.port };
}

t.test('Wireshark reads what each vendor is sent', { skip: missing('tshark') }, async (t) => {
  const packets = vendors.flatMap((vendor) => {
    const { nas, by = 'coa' } = expected[vendor];
    const record = nasOf({ vendor, coaPort: null, ...nas });
    return [...login(record), throttled(record, by)];
  });
  const seen = seenByTshark(packets, secretText);
  for (const [index, vendor] of vendors.entries()) {
    const [, accept, change] = seen.slice(3 * index, 3 * index + 3) as [Seen, Seen, Seen];
    const { accept: inAccept, change: inChange, named, by } = expected[vendor];
    await t.test(nasProfile(vendor).title, async (t) => {
      t.match(accept.text, 'Code: Access-Accept (2)');
      t.match(accept.text, 'Valid Authenticator: True');
      t.match(change.text, by ? 'Code: Disconnect-Request (40)' : 'Code: CoA-Request (43)');
      t.match(change.text, `Dst Port: ${vendor === 'cisco' ? 1700 : 3799}`);
      const lacks = (seen: Seen, texts: readonly string[]) => texts.filter((text) => !seen.attributes.includes(text));
      t.same(lacks(accept, inAccept), [], accept.attributes.join(' '));
      t.same(lacks(change, [...named, ...inChange]), [], change.attributes.join(' '));
      const keys = [
        'User-Name',
        'Acct-Session-Id',
        'Framed-IP-Address',
        'NAS-Port',
        'NAS-Port-Id',
        'Calling-Station-Id',
      ];
      const sent = change.attributes.filter((one) => keys.includes(one.split('=')[0] ?? '')).sort();
      if (vendor !== 'generic' && vendor !== 'mikrotik')
        t.same(sent, [...named].sort(), 'no other key names the session');
      for (const { text } of [accept, change]) {
        t.notMatch(text, /malformed/i);
        // Wireshark 4.0 has no dictionary of Cambium: numbers and octets are all it can tell.
        if (vendor !== 'cambium') t.notMatch(text, /unknown-attribute/i, 'everything is known');
        else for (const type of [26, 27]) t.match(text, new RegExp(`VSA: t=\\S+\\(${type}\\) l=6 val=`));
      }
    });
  }
});

// Logins of staff to the device itself: who gets in with which rights, and that staff and subscribers are never taken for each other.
import { createHash, randomBytes } from 'node:crypto';
import t from 'tap';
import { verifyClass } from '#aaa-server/accounting/class.ts';
import { microsoft } from '#aaa-server/auth/mppe.ts';
import {
  attribute,
  firstAttribute,
  firstVendorAttribute,
  octetsAt,
  textAt,
  vendor,
} from '#aaa-server/wire/attributes.ts';
import type { PacketBuilder } from '#aaa-server/wire/encode.ts';
import { challengeHash, challengeResponse, ntHash } from '#aaa-server/wire/mschap.ts';
import { code } from '#aaa-server/wire/packet.ts';
import { hidePassword } from '#aaa-server/wire/user-password.ts';
import { hashPassword } from '#control-api/auth/password.ts';
import { createDriven, decoded, pap as papOfAlice } from './support/driven.ts';
import { createIsp, keyring, nasOf } from './support/isp.ts';
import { createLogins, type Reply, secret } from './support/logins.ts';

const serviceTypes = { login: 1, framed: 2, administrative: 6, nasPrompt: 7 } as const;
type Add = (builder: PacketBuilder) => void;

const service =
  (type: keyof typeof serviceTypes): Add =>
  (builder) =>
    void builder.add(attribute.serviceType, serviceTypes[type]);
const nothing: Add = () => undefined;

function pap(logins: ReturnType<typeof createLogins>, userName: string, password: string, ...more: Add[]) {
  return logins.ask((builder, authenticator) => {
    builder.add(attribute.userName, userName);
    builder.add(attribute.userPassword, hidePassword(Buffer.from(password), secret, authenticator));
    for (const add of more) add(builder);
  });
}

function chap(logins: ReturnType<typeof createLogins>, userName: string, password: string, ...more: Add[]) {
  return logins.ask((builder, authenticator) => {
    const answer = createHash('md5').update(Buffer.of(9)).update(password).update(authenticator).digest();
    builder.add(attribute.userName, userName);
    builder.add(attribute.chapPassword, Buffer.concat([Buffer.of(9), answer]));
    for (const add of more) add(builder);
  });
}

function msChap2(logins: ReturnType<typeof createLogins>, userName: string, password: string, ...more: Add[]) {
  const [challenge, peer] = [randomBytes(16), randomBytes(16)];
  const answered = challengeHash(peer, challenge, Buffer.from(userName));
  const response = challengeResponse(answered, ntHash(Buffer.from(password)));
  return logins.ask((builder) => {
    builder.add(attribute.userName, userName);
    builder.addVendor(vendor.microsoft, microsoft.chapChallenge, challenge);
    builder.addVendor(
      vendor.microsoft,
      microsoft.chap2Response,
      Buffer.concat([Buffer.alloc(2), peer, Buffer.alloc(8), response]),
    );
    for (const add of more) add(builder);
  });
}

/** `accept <group>` of RouterOS, `accept` without one, `reject`, or `none`. */
function outcome(reply: Reply | undefined): string {
  if (!reply) return 'none';
  if (reply.packet.code === code.accessReject) return 'reject';
  const at = firstVendorAttribute(reply.packet, vendor.mikrotik, 3);
  return at < 0 ? 'accept' : `accept ${textAt(reply.packet, at)}`;
}

/** Anna is a subscriber and the name of a member of staff; bert is only a subscriber, rita and will only staff. */
function setup() {
  const isp = createIsp();
  isp.addSubscriber('anna', 'subscriber');
  isp.addSubscriber('bert', 'subscriber');
  isp.addDeviceUser('anna', 'engineer');
  isp.addDeviceUser('rita', 'engineer', { access: 'read' });
  isp.addDeviceUser('will', 'engineer', { access: 'write' });
  return createLogins({ isp });
}

t.test('staff get the rights they have, by PAP, CHAP and MS-CHAPv2', async (t) => {
  const logins = setup();
  for (const [name, group] of [
    ['anna', 'full'],
    ['rita', 'read'],
    ['will', 'write'],
  ] as const) {
    for (const type of ['administrative', 'nasPrompt', 'login'] as const) {
      t.equal(outcome(await pap(logins, name, 'engineer', service(type))), `accept ${group}`, `${name} ${type}`);
      t.equal(outcome(await chap(logins, name, 'engineer', service(type))), `accept ${group}`, `${name} ${type}`);
      t.equal(outcome(await msChap2(logins, name, 'engineer', service(type))), `accept ${group}`, `${name} ${type}`);
    }
  }
  t.equal(logins.counted('deviceLogins', 'accepted'), 27);
  t.equal(outcome(await msChap2(logins, 'rita', 'another', service('login'))), 'reject');
});

t.test('a subscriber is never let into a device, nor a member of staff into the internet', async (t) => {
  const logins = setup();
  for (const type of ['administrative', 'nasPrompt', 'login'] as const) {
    t.equal(outcome(await pap(logins, 'bert', 'subscriber', service(type))), 'reject', `bert at ${type}`);
    t.equal(outcome(await pap(logins, 'anna', 'subscriber', service(type))), 'reject', `anna at ${type}`);
  }
  t.equal(outcome(await pap(logins, 'rita', 'engineer', service('framed'))), 'reject');
  t.equal(outcome(await pap(logins, 'anna', 'engineer', service('framed'))), 'reject');
  t.equal(outcome(await pap(logins, 'anna', 'subscriber', service('framed'))), 'accept');
  t.equal(logins.counted('rejects', 'device_login_refused'), 6);
  t.equal(logins.counted('deviceLogins', 'unknown_user'), 3);
  t.equal(logins.counted('deviceLogins', 'wrong_password'), 3);
});

t.test('what only subscribers have makes a login with Service-Type Login a subscriber’s', async (t) => {
  const logins = setup();
  const evidence: Record<string, Add> = {
    'the hotspot’s name': (builder) => void builder.add(attribute.calledStationId, 'hotspot1'),
    'a Wi-Fi port': (builder) => void builder.add(attribute.nasPortType, 19),
    'an Ethernet port': (builder) => void builder.add(attribute.nasPortType, 15),
    'an address': (builder) => void builder.add(attribute.framedIpAddress, Buffer.of(10, 5, 50, 253)),
    'a MAC address': (builder) => void builder.add(attribute.callingStationId, '30:39:26:86:CC:EA'),
    'the address behind the hotspot': (builder) =>
      void builder.addVendor(vendor.mikrotik, 10, Buffer.of(10, 5, 50, 253)),
    'a WISPr location': (builder) => void builder.addVendor(vendor.wispr, 2, 'lobby'),
  };
  for (const [what, add] of Object.entries(evidence)) {
    t.equal(outcome(await pap(logins, 'anna', 'subscriber', service('login'), add)), 'accept', what);
    t.equal(outcome(await pap(logins, 'bert', 'subscriber', service('login'), add)), 'accept', what);
    t.equal(outcome(await pap(logins, 'anna', 'engineer', service('login'), add)), 'reject', what);
  }
  const terminal: Add = (builder) => {
    builder.add(attribute.nasPortType, 5);
    builder.add(attribute.callingStationId, '192.0.2.77');
  };
  t.equal(outcome(await pap(logins, 'anna', 'engineer', service('login'), terminal)), 'accept full');
});

t.test('a login that says nothing of a service is staff’s only by a name that no subscriber has', async (t) => {
  const logins = setup();
  t.equal(outcome(await pap(logins, 'bert', 'subscriber', nothing)), 'accept');
  t.equal(outcome(await pap(logins, 'rita', 'engineer', nothing)), 'accept read');
  t.equal(outcome(await pap(logins, 'anna', 'subscriber', nothing)), 'accept', 'no subscriber’s login breaks');
  t.equal(outcome(await pap(logins, 'anna', 'engineer', nothing)), 'reject');
  const authenticateOnly: Add = (builder) => void builder.add(attribute.serviceType, 8);
  t.equal(outcome(await pap(logins, 'rita', 'engineer', authenticateOnly)), 'accept read', 'as pam_radius asks');
  t.equal(outcome(await pap(logins, 'bert', 'subscriber', authenticateOnly)), 'accept');
  const framed: Add = (builder) => void builder.add(attribute.framedProtocol, 1);
  t.equal(outcome(await pap(logins, 'anna', 'subscriber', framed)), 'accept');
});

t.test('a terminal of a Cisco, which sends no Service-Type, is not opened to subscribers', async (t) => {
  const logins = setup();
  const terminal: Add = (builder) => void builder.add(attribute.nasPortType, 5);
  t.equal(outcome(await pap(logins, 'bert', 'subscriber', terminal)), 'accept', 'elsewhere it may be a tunnel');
  logins.isp.setNases([nasOf({ vendor: 'cisco' })]);
  logins.monotonicMs += 1000;
  t.equal(outcome(await pap(logins, 'bert', 'subscriber', terminal)), 'reject');
  t.equal(outcome(await pap(logins, 'rita', 'engineer', terminal)), 'accept');
});

t.test('an access server whose logins are all subscribers’ lets no staff in', async (t) => {
  const logins = setup();
  logins.isp.setNases([nasOf({ deviceLogins: 'never' })]);
  logins.monotonicMs += 1000;
  t.equal(outcome(await pap(logins, 'bert', 'subscriber', service('administrative'))), 'accept');
  t.equal(outcome(await pap(logins, 'rita', 'engineer', service('administrative'))), 'reject');
});

t.test('disabled, expired or elsewhere: out, whatever the password', async (t) => {
  const isp = createIsp();
  isp.addDeviceUser('gone', 'engineer', { enabled: false });
  isp.addDeviceUser('late', 'engineer', { validUntilMs: Date.now() - 1 });
  isp.addDeviceUser('soon', 'engineer', { validUntilMs: Date.now() + 3600_000 });
  isp.addDeviceUser('here', 'engineer', { nasIds: [1] });
  isp.addDeviceUser('away', 'engineer', { nasIds: [2] });
  isp.addDeviceUser('nowhere', 'engineer', { nasIds: [] });
  const logins = createLogins({ isp });
  const ask = async (name: string) => outcome(await pap(logins, name, 'engineer', service('administrative')));
  for (const name of ['gone', 'late', 'away', 'nowhere']) t.equal(await ask(name), 'reject', name);
  for (const name of ['soon', 'here']) t.equal(await ask(name), 'accept full', name);
  t.equal(logins.counted('deviceLogins', 'disabled'), 1);
  t.equal(logins.counted('deviceLogins', 'expired'), 1);
  t.equal(logins.counted('deviceLogins', 'elsewhere'), 2);
});

t.test('a password that is stored as a hash serves PAP alone', async (t) => {
  const isp = createIsp();
  isp.addDeviceUser('anna', await hashPassword('engineer'), { scheme: 'argon2' });
  const logins = createLogins({ isp });
  t.equal(outcome(await pap(logins, 'anna', 'engineer', service('login'))), 'accept full');
  t.equal(outcome(await pap(logins, 'anna', 'another', service('login'))), 'reject');
  t.equal(outcome(await chap(logins, 'anna', 'engineer', service('login'))), 'reject');
  t.equal(logins.counted('deviceLogins', 'unsuitable_scheme'), 1);
});

t.test('after five wrong tries at one device even the right password is refused for a while', async (t) => {
  const logins = setup();
  const other = nasOf({ id: 2, address: '127.0.0.0/8', identifier: 'other' });
  logins.isp.setNases([nasOf({ identifier: 'first' }), other]);
  logins.monotonicMs += 1000;
  const at =
    (identifier: string): Add =>
    (builder) =>
      void builder.add(attribute.nasIdentifier, identifier);
  const ask = async (password: string, where = 'first') =>
    outcome(await pap(logins, 'anna', password, service('administrative'), at(where)));
  for (let i = 0; i < 5; i++) t.equal(await ask(`guess ${i}`), 'reject');
  t.equal(await ask('engineer'), 'reject', 'unseen');
  t.equal(logins.counted('deviceLogins', 'throttled'), 1);
  t.equal(await ask('engineer', 'other'), 'accept full', 'another device has tries of its own');
  logins.monotonicMs += 30_000;
  t.equal(await ask('engineer'), 'accept full', 'one try came back');
  for (let i = 0; i < 5; i++) t.equal(await ask(`guess ${i}`), 'reject', 'and all of them with the right password');
  t.equal(await ask('engineer'), 'reject');
  for (let i = 0; i < 6; i++) await pap(logins, 'nobody', 'x', service('administrative'), at('first'));
  t.equal(logins.counted('deviceLogins', 'throttled'), 3, 'a name that nobody has is treated alike');
});

t.test('who guesses at one radio of many, or from one place, keeps nobody out elsewhere', async (t) => {
  const logins = setup();
  const at =
    (radio: string, station: string): Add =>
    (builder) => {
      builder.add(attribute.nasIdentifier, radio);
      if (station !== '') builder.add(attribute.callingStationId, station);
    };
  const ask = async (password: string, radio: string, station: string) =>
    outcome(await pap(logins, 'anna', password, service('administrative'), at(radio, station)));
  for (let i = 0; i < 50; i++) t.equal(await ask(`guess ${i}`, 'radio 1', '198.51.100.7'), 'reject');
  t.equal(logins.counted('deviceLogins', 'throttled'), 45);
  t.equal(await ask('engineer', 'radio 1', '198.51.100.7'), 'reject');
  t.equal(await ask('engineer', 'radio 1', '192.0.2.1'), 'accept full', 'she sits elsewhere');
  t.equal(await ask('engineer', 'radio 2', '198.51.100.7'), 'accept full', 'another radio of the same record');
  for (let i = 0; i < 200; i++) {
    t.equal(await ask('engineer', 'radio 1', `192.0.2.1`), 'accept full', 'right passwords use nothing up');
  }
  for (let i = 0; i < 95; i++) await ask('guess', 'radio 1', `203.0.113.${i}`);
  t.equal(await ask('engineer', 'radio 1', '192.0.2.1'), 'reject', 'from all places together it is a hundred');
  t.equal(await ask('engineer', 'radio 2', '192.0.2.1'), 'accept full');
  logins.monotonicMs += 3000;
  t.equal(await ask('engineer', 'radio 1', '192.0.2.1'), 'accept full', 'one comes back every three seconds');
});

t.test('a garden instead of a reject is nothing for staff', async (t) => {
  const garden = [{ vendor: 0, type: attribute.filterId, value: 'garden' }];
  const driven = createDriven({ refusedAnswer: () => garden });
  driven.isp.addDeviceUser('alice', 'engineer');
  const administrative = { extra: (builder: PacketBuilder) => void builder.add(attribute.serviceType, 6) };
  t.equal(driven.answer(papOfAlice({}, 'wrong')), 'accessAccept', 'a subscriber gets it');
  t.equal(driven.answer(papOfAlice(administrative, 'wrong')), 'accessReject');
  t.equal(driven.counted('rejects', 'device_login_refused'), 1);
});

t.test('the accounting of a login to a device is nobody’s', async (t) => {
  const driven = createDriven();
  driven.isp.addDeviceUser('alice', 'engineer');
  const [reply] = driven.receive(
    papOfAlice({ extra: (builder) => void builder.add(attribute.serviceType, 7) }, 'engineer'),
  );
  const packet = decoded(reply);
  const at = firstAttribute(packet, attribute.class);
  t.match(verifyClass(keyring.derive('class'), 1, octetsAt(packet, at)), { subscriptionId: 0, tenantId: 1 });
});

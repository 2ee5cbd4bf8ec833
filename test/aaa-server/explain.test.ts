// A login explained: the rule behind every answer, and that what is explained is what a login really gets.
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { loginFailures } from '#aaa-server/counters.ts';
import type { ExplainQuestion, Explanation } from '#aaa-server/explain/explain.ts';
import type { DeviceUserRecord } from '#aaa-server/subscribers/device-users.ts';
import type { NasRecord, NetworkTerms, SubscriptionRecord } from '#aaa-server/subscribers/records.ts';
import { loginSentence } from '#policy/access/login-sentences.ts';
import { rejectReasons } from '#policy/access/outcome.ts';
import { deviceRealm } from '#policy/credentials/device-user.ts';
import { keys } from '#policy/ledger/keys.ts';
import { createLedger } from '#policy/ledger/ledger.ts';
import { readMacs } from '#policy/ledger/macs.ts';
import type { NasAttribute } from '#policy/nas/profile.ts';
import { storeForTest } from '#test/policy/ledger/ledger-under-test.ts';
import { poolOf } from '#test/policy/ledger/pool-model.ts';
import { runs } from '#test/support/effort.ts';
import { realm } from './proxy/harness.ts';
import { keyring, nasOf } from './support/isp.ts';
import { createOperated, noonMs, type Operated } from './support/operated.ts';

t.setTimeout(120_000);
const hourMs = 3_600_000;

async function explained(isp: Operated, question: Partial<ExplainQuestion> = {}): Promise<Explanation> {
  const result = await isp.explain({ tenantId: 1, userName: 'anna', ...question });
  if (!result.ok) throw new Error(result.problem);
  return result.explanation;
}

function withAnna(change: Partial<SubscriptionRecord> = {}): Operated {
  const isp = createOperated();
  isp.add('anna', 'secret', change);
  return isp;
}

const deciding = ({ facts }: Explanation) => facts.filter(({ decides }) => decides).map(({ fact }) => fact);

t.test('an Accept at full speed names the rule behind each attribute', async (t) => {
  const isp = withAnna({
    paidUntilMs: noonMs + 30 * 60_000,
    addresses: [{ kind: 'ipv4', prefix: '10.0.0.7/32' }],
    attributes: [{ vendor: 0, type: 88, value: Buffer.from('own') }],
  });
  isp.world.plan = { attributes: [{ vendor: 0, type: 28, value: 600 }] };
  isp.nasChanged([nasOf({ attributes: [{ vendor: 0, type: 88, value: Buffer.from('of the NAS') }] })]);
  const found = await explained(isp);
  t.match(found, {
    result: 'accept',
    reason: null,
    outcome: 'accept:5000000/20000000',
    sentence: 'The service runs at 20 Mbps down and 5 Mbps up.',
    user: { matched_by: 'whole_name', credential: { kind: 'login', user_name: 'anna', realm: '' } },
    nas: { name: 'tower', found_by: 'only_one' },
    network: { ledger: 'not_needed' },
    garden_stay: null,
  });
  t.strictSame(deciding(found), ['tariff']);
  t.match(found.attributes, [
    {
      name: 'Mikrotik-Rate-Limit',
      value: '5M/20M',
      source: 'speed',
      rule: /^speed of tariff 1, told as vendor mikrotik/,
    },
    { name: 'Framed-IP-Address', value: '10.0.0.7', source: 'static_address', rule: /subscription 1/ },
    { name: 'Framed-IP-Netmask', value: '255.255.255.255', source: 'static_address' },
    { name: 'Session-Timeout', value: '1800', source: 'session_timeout', rule: /^until paid_until, 2026-03-04T12:30/ },
    { name: 'Acct-Interim-Interval', value: '300', source: 'interim_interval' },
    { name: 'Class', value: '***', source: 'class' },
    { name: 'Idle-Timeout', value: '600', source: 'tariff_attribute', rule: /tariff 1/ },
    { name: 'Framed-Pool', value: 'own', source: 'subscription_attribute', rule: /subscription 1/ },
  ]);
  t.notMatch(JSON.stringify(found), /secret|testing123/, 'and no secret');
});

t.test('a reject names its rule, whatever it is', async (t) => {
  const cases: [Partial<SubscriptionRecord>, string, string][] = [
    [{ customerStatus: 'blocked' }, 'customer_blocked', 'customer_status'],
    [{ customerStatus: 'lead' }, 'customer_lead', 'customer_status'],
    [{ status: 'terminated' }, 'subscription_terminated', 'subscription_status'],
    [{ holds: [{ reason: 'fraud', sinceMs: noonMs - 5, untilMs: null }] }, 'hold_fraud', 'hold'],
    [{ paidUntilMs: noonMs - 1 }, 'expired', 'paid_until'],
  ];
  for (const [change, reason, fact] of cases) {
    const found = await explained(withAnna(change));
    t.match(found, { result: 'reject', reason, attributes: [], outcome: `reject:${reason}` }, reason);
    t.match(found.sentence, /Logins are refused\.$/, reason);
    t.strictSame(deciding(found), [fact], reason);
  }
});

t.test('a fair-use rule, the brake, a silent mirror and an unverified garden are told apart', async (t) => {
  const slow = { upBps: 1_000_000, downBps: 2_000_000 };
  const rule = { window: 'day', direction: 'total', thresholdBytes: 10, effect: { kind: 'speed', ...slow } } as const;
  const isp = withAnna();
  isp.world.plan = { fupRules: [rule] };
  isp.world.profile = { fupSpeed: slow, fupUntilMs: noonMs + hourMs };
  const throttled = await explained(isp);
  t.match(throttled, { result: 'accept', reason: 'fup', outcome: 'throttle:1000000/2000000:fup' });
  t.strictSame(deciding(throttled), ['fair_use']);
  t.match(throttled.attributes[0], { source: 'speed', rule: /^fair-use rule 1 of tariff 1 \(10 bytes total a day\)/ });

  isp.world.profile = { heldOutcome: 'throttle:1000000/2000000:fup' };
  t.strictSame(deciding(await explained(isp)), ['tariff'], 'the brake holds back only what is stricter');

  isp.world.profile = undefined as never;
  isp.world.mirrorSilentSinceMs = noonMs - hourMs;
  const silent = await explained(isp);
  t.match(silent, { reason: 'fup' });
  t.strictSame(deciding(silent), ['fair_use', 'mirror']);

  isp.world.mirrorSilentSinceMs = noonMs;
  isp.world.plan = { suspendAction: 'walled_garden' };
  isp.isp.changeSubscription(1, { paidUntilMs: noonMs - 1 });
  const fenced = await explained(isp);
  t.match(fenced, { result: 'reject', reason: 'expired' });
  t.strictSame(deciding(fenced), ['paid_until', 'nas']);
});

t.test('a change that the brake holds back is told as such', async (t) => {
  const isp = withAnna({ holds: [{ reason: 'admin', sinceMs: noonMs - 5, untilMs: null }] });
  isp.world.profile = { heldOutcome: 'accept:5000000/20000000' };
  const found = await explained(isp);
  t.match(found, { result: 'accept', reason: null, outcome: 'accept:5000000/20000000' });
  t.strictSame(deciding(found), ['hold', 'brake']);
  t.match(found.attributes[0], {
    source: 'speed',
    rule: /^what was last applied, while the brake holds a change back/,
  });
  isp.world.profile = { heldOutcome: 'reject:hold_fraud' };
  t.match(await explained(isp), { result: 'reject', reason: 'hold_admin' }, 'less than was decided is held by nobody');
});

t.test('names are found as a login finds them', async (t) => {
  const isp = createOperated();
  isp.add('anna');
  isp.add('bob', 'x', {}, 'example.net');
  isp.add('carl', 'x', {}, 'CORP');
  isp.add('00112233aabb', '', {}, ':mac', 'none');
  isp.add('port 7', '', {}, ':circuit', 'none');
  const matched = async (userName: string, more: Partial<ExplainQuestion> = {}) =>
    (await explained(isp, { userName, ...more })).user;
  t.match(await matched('bob@example.net'), {
    matched_by: 'realm',
    credential: { user_name: 'bob', realm: 'example.net' },
  });
  t.match(await matched('CORP\\carl'), { matched_by: 'domain', credential: { user_name: 'carl', realm: 'CORP' } });
  t.match(await matched('HOME\\anna'), { matched_by: 'domain_left_out', credential: { user_name: 'anna' } });
  t.match(await matched('00-11-22-33-AA-BB'), {
    matched_by: 'mac',
    credential: { kind: 'mac', user_name: '00112233aabb' },
  });
  t.match(await matched('guest', { circuitId: 'port 7' }), { matched_by: 'line', credential: { user_name: 'port 7' } });
  t.match(await matched('guest'), { matched_by: null, credential: null, rule: /no login has the name guest/ });
  t.match(await explained(isp, { userName: 'guest' }), { result: 'reject', reason: 'unknown_user', attributes: [] });
});

t.test('which methods the stored password can serve', async (t) => {
  const isp = createOperated();
  isp.add('clear');
  isp.add('crypt', '$6$salt$x', {}, '', 'crypt');
  isp.add('nt', '00'.repeat(16), {}, '', 'nt');
  const possible = async (userName: string) =>
    (await explained(isp, { userName })).user.methods.filter(({ possible }) => possible).map(({ method }) => method);
  t.strictSame(await possible('clear'), ['pap', 'chap', 'mschap', 'eap_md5', 'eap_gtc', 'eap_mschapv2']);
  t.strictSame(await possible('crypt'), ['pap', 'eap_gtc']);
  t.strictSame(await possible('nt'), ['pap', 'mschap', 'eap_gtc', 'eap_mschapv2']);
  const { methods } = (await explained(isp, { userName: 'crypt' })).user;
  t.match(
    methods.find(({ method }) => method === 'chap'),
    { possible: false, why: /stored as crypt, and chap needs it itself/ },
  );
});

t.test('an access server is found as a packet from there, and another tenant’s is none', async (t) => {
  const isp = withAnna();
  isp.nasChanged([
    nasOf({ id: 1, name: 'single', address: '192.0.2.1' }),
    nasOf({ id: 2, name: 'net', address: '192.0.2.0/24' }),
    nasOf({ id: 3, name: 'twin a', address: '192.0.2.9', identifier: 'a' }),
    nasOf({ id: 4, name: 'twin b', address: '192.0.2.9', identifier: 'b' }),
    nasOf({ id: 5, name: 'foreign', address: '198.51.100.1', tenantId: 2 }),
    nasOf({ id: 6, name: 'net', address: '203.0.113.1' }),
  ]);
  const found = async (nas: string, nasIdentifier?: string) => {
    const result = await isp.explain({
      tenantId: 1,
      userName: 'anna',
      nas,
      ...(nasIdentifier ? { nasIdentifier } : {}),
    });
    return result.ok ? `${result.explanation.nas.id} ${result.explanation.nas.found_by}` : result.problem;
  };
  t.equal(await found('192.0.2.1'), '1 address');
  t.equal(await found('192.0.2.77'), '2 prefix');
  t.equal(await found('192.0.2.9', 'b'), '4 identifier');
  t.equal(await found('a'), '3 identifier');
  t.equal(await found('single'), '1 name');
  t.equal(await found('4'), '4 id');
  for (const foreign of ['198.51.100.1', 'foreign', '5', '198.51.100.2']) t.equal(await found(foreign), 'nas_unknown');
  t.equal(await found('net'), 'nas_ambiguous');
  t.strictSame(await isp.explain({ tenantId: 1, userName: 'anna' }), { ok: false, problem: 'nas_needed' });
});

t.test('a vendor that wants names and has none is a reject; the nearest one is told as such', async (t) => {
  const isp = withAnna();
  isp.nasChanged([nasOf({ vendor: 'nokia' })]);
  const none = await explained(isp);
  t.match(none, {
    result: 'reject',
    reason: 'speed_policy_missing',
    outcome: 'accept:5000000/20000000',
    sentence: /no name is known/,
  });
  isp.nasChanged([nasOf({ vendor: 'nokia', policies: [{ upBps: 1e6, downBps: 1e6, name: 'slow', upName: null }] })]);
  const nearest = await explained(isp);
  t.match(nearest.attributes[0], {
    value: 'slow',
    source: 'speed',
    rule: /none has this speed, the nearest stands in/,
  });
});

t.test('a stay in the garden instead of a reject is told beside it, and nobody stays', async (t) => {
  const isp = createOperated();
  const stay = { framedPool: '', addressList: 'portal', portalUrl: '', sessionTimeoutS: 300, atOnce: 1 };
  isp.world.tenant = { refusedLogins: { unknown_user: { ...stay, speed: { upBps: 1e6, downBps: 1e6 } } } };
  for (let i = 0; i < 3; i++) {
    const found = await explained(isp, { userName: 'nobody' });
    t.equal(found.result, 'reject');
    t.match(
      found.garden_stay?.find(({ name }) => name === 'Mikrotik-Address-List'),
      { value: 'portal', source: 'garden_stay' },
    );
  }
  const { code } = await isp.login({ userName: 'nobody' }, { method: 'pap', password: 'x' });
  t.equal(code, 'accessAccept', 'the only place is still free');
});

t.test('a login to the device itself is staff’s, and is explained as theirs', async (t) => {
  const isp = withAnna();
  const record: DeviceUserRecord = {
    ...{ tenantId: 1, id: 4, userName: 'operator', scheme: 'clear', access: 'read', enabled: true, validUntilMs: null },
    ...{
      nasIds: null,
      passwordCipher: keyring.encrypt('credential', `1:${deviceRealm}:operator`, Buffer.from('staff')),
    },
  };
  isp.world.deviceUsers = [record];
  const prompt = { serviceType: 7 };
  const found = await explained(isp, { userName: 'operator', ...prompt });
  t.match(found, { result: 'accept', outcome: 'device:read', user: { matched_by: 'device_user' }, network: null });
  t.match(found.attributes[0], { source: 'device_access', rule: /^access read of device user operator/ });
  const real = await isp.login({ userName: 'operator', ...prompt }, { method: 'pap', password: 'staff' });
  t.strictSame(
    found.attributes.map(({ name, value }) => ({ name, value })),
    real.attributes,
  );
  t.match(await explained(isp, { userName: 'anna', ...prompt }), { result: 'reject', reason: 'device_login_refused' });
  t.match(
    await explained(isp, { userName: 'operator' }),
    { result: 'reject', reason: 'unknown_user' },
    'for service they are nobody',
  );
  isp.world.deviceUsers = [{ ...record, nasIds: [9] }];
  isp.nasChanged([nasOf()]);
  const elsewhere = await explained(isp, { userName: 'operator', ...prompt });
  t.match(elsewhere, {
    reason: 'device_login_refused',
    facts: [{ fact: 'device_user', value: 'elsewhere', decides: true }],
  });
});

t.test('without a complete copy of the subscribers nothing is answered', async (t) => {
  const isp = withAnna();
  isp.world.complete = false;
  t.match(await explained(isp), { result: 'unanswered', reason: 'snapshot_incomplete' });
});

t.test('a login of a realm that is forwarded is not decided here', async (t) => {
  const isp = withAnna();
  const to = { tenantId: 1, id: 1, homeServers: [], copies: [] };
  isp.isp.setProxies([{ ...to, realms: [realm(1, 'partner.example', [1])] }]);
  t.match(await explained(isp, { userName: 'anna@Partner.Example' }), {
    ...{ result: 'unanswered', reason: 'forwarded', attributes: [], garden_stay: null },
    sentence: /home servers/,
  });
  t.match(await explained(isp), { result: 'accept' });
  isp.nasChanged([nasOf({ drain: { answer: 'reject', move: null } })]);
  const drained = await explained(isp, { userName: 'anna@partner.example' });
  t.match(drained, { result: 'reject', reason: 'nas_draining' }, 'a drained access server keeps them away, too');
});

t.test('at a drained access server a login is kept away, and the rest of the explanation stays', async (t) => {
  for (const [answer, result] of [
    ['silence', 'unanswered'],
    ['reject', 'reject'],
  ] as const) {
    const isp = withAnna();
    isp.nasChanged([nasOf({ drain: { answer, move: null } })]);
    const found = await explained(isp);
    t.match(found, { result, reason: 'nas_draining', outcome: 'accept:5000000/20000000', attributes: [] });
    t.match(found.sentence, /drained/);
    t.strictSame(deciding(found), ['tariff']);
    const { code } = await isp.login({ userName: 'anna', serviceType: 2 }, { method: 'pap', password: 'secret' });
    t.equal(code, result === 'reject' ? 'accessReject' : 'none');
  }
});

t.test('every reason has a sentence of its own', async (t) => {
  const sentences = [...loginFailures, ...rejectReasons, 'snapshot_incomplete', 'addresses_unavailable'].map(
    loginSentence,
  );
  t.ok(
    sentences.every((sentence) => /^[A-Z].* .*\.$/.test(sentence)),
    String(sentences),
  );
  t.equal(new Set(sentences).size, sentences.length);
  t.equal(loginSentence('constructor'), 'constructor');
});

const network: NetworkTerms = {
  ipv4PoolId: 5,
  ipv6PoolId: null,
  delegatedPoolId: null,
  sessionLimit: 1,
  macLimit: 1,
  macMode: 'lock',
};

/** Everything in Redis but what is only read. */
async function stored(redis: Awaited<ReturnType<typeof storeForTest>>['redis']): Promise<string[]> {
  const found = (await (redis as unknown as { keys(pattern: string): Promise<string[]> }).keys('*')).sort();
  return Promise.all(found.map(async (key) => `${key} ${(await redis.dumpBuffer(key))?.toString('hex')}`));
}

t.test('with Redis: what would be leased, refused and learned is seen, and nothing of it happens', async (t) => {
  const { redis } = await storeForTest(t as Test);
  await createLedger(redis).load();
  const isp = createOperated({ redis: redis as never });
  for (const name of ['anna', 'bob', 'carl']) isp.add(name);
  isp.world.tenant = { sessionMode: 'refuse' };
  isp.world.plan = { network };
  isp.world.pools = [poolOf({ ranges: [{ id: 1, first: '100.64.0.0', size: 2, draining: false }] })];
  const at = (device: number) => ({ callingStationId: `00-00-00-00-00-0${device}` });
  const before = await stored(redis);
  const first = await explained(isp, at(1));
  t.match(first, { result: 'accept', network: { session_limit: 1, pools: { ipv4: 'homes' }, ledger: 'asked' } });
  t.match(
    first.attributes.find(({ name }) => name === 'Framed-IP-Address'),
    { value: '100.64.0.0', source: 'pool', rule: '100.64.0.0/32 would be leased from pool homes' },
  );
  t.match(await explained(isp), { result: 'reject', reason: 'mac_not_allowed' }, 'bound, and no device named');
  t.strictSame(await stored(redis), before, 'Redis is as it was');

  const proof = { method: 'pap', password: 'secret' } as const;
  const login = await isp.login({ userName: 'anna', ...at(1) }, proof);
  t.match(
    login.attributes.find(({ name }) => name === 'Framed-IP-Address'),
    { value: '100.64.0.0' },
  );
  t.strictSame(
    (await readMacs(redis, { tenantId: 1, subscriptionId: 1 })).map(({ address }) => address),
    ['000000000001'],
  );
  const taken = await stored(redis);
  t.match(
    (await explained(isp, at(1))).attributes.find(({ name }) => name === 'Framed-IP-Address'),
    { value: '100.64.0.0' },
  );
  t.match(await explained(isp, at(2)), { result: 'reject', reason: 'session_limit' });
  t.match(
    (await explained(isp, { userName: 'bob', ...at(3) })).attributes.find(({ name }) => name === 'Framed-IP-Address'),
    {
      value: '100.64.0.1',
    },
  );
  t.strictSame(await stored(redis), taken);

  await isp.login({ userName: 'bob', ...at(3) }, proof);
  const full = await stored(redis);
  t.match(await explained(isp, { userName: 'carl', ...at(4) }), { result: 'reject', reason: 'pool_exhausted' });
  t.strictSame(await stored(redis), full, 'nor does it count as a login that found nothing');
  t.equal(keys.pool(5), '{pool:5}');
});

t.test('while Redis is away an address of a pool is not promised', async (t) => {
  const isp = withAnna();
  isp.world.plan = { network: { ...network, macLimit: 0 } };
  isp.world.pools = [poolOf()];
  t.match(await explained(isp), { result: 'unanswered', reason: 'addresses_unavailable', network: { ledger: 'away' } });
});

const text = fc.stringMatching(/^[a-z]{1,12}$/);
const added = fc.array(
  fc.record({
    place: fc.constantFrom([0, 88], [0, 11], [0, 28], [14988, 19], [9, 1]),
    value: text,
  }),
  { maxLength: 3 },
);
const toAttributes = (list: readonly { place: readonly number[]; value: string }[]): NasAttribute[] =>
  list.map(({ place: [vendor = 0, type = 0], value }) => ({
    ...{ vendor, type },
    value: vendor === 9 ? Buffer.from(`ip:${value}=x`) : type === 28 ? Buffer.from([0, 0, 2, 88]) : Buffer.from(value),
  }));

t.test('what is explained is what a login really gets, attribute by attribute', async (t) => {
  const speeds = { upBps: 5e6, downBps: 20e6 };
  const policies = [
    { ...speeds, name: 'full', upName: null },
    { upBps: 1e6, downBps: 1e6, name: 'slow', upName: null },
  ];
  const property = fc.asyncProperty(
    fc.constantFrom(
      'mikrotik',
      'cisco',
      'juniper',
      'huawei',
      'nokia',
      'zte',
      'edgeos',
      'cambium',
      'coova',
      'accel-ppp',
      'generic',
    ),
    fc.constantFrom<'pap' | 'chap'>('pap', 'chap'),
    fc.option(fc.integer({ min: -10, max: 100_000 }), { nil: null }),
    fc.subarray(['ipv4', 'ipv6_prefix', 'delegated_prefix', 'framed_route'] as const),
    fc.tuple(added, added, added),
    fc.option(fc.constantFrom({ upBps: 1e6, downBps: 1e6 }, { upBps: 2e6, downBps: 3e6 }), { nil: null }),
    fc.constantFrom<'reject' | 'throttle' | 'walled_garden'>('reject', 'throttle', 'walled_garden'),
    async (vendor, method, paidS, kinds, [ofNas, ofPlan, ofSubscription], fupSpeed, suspendAction) => {
      const prefixes = {
        ipv4: '10.0.0.7/32',
        ipv6_prefix: '2001:db8:1::/64',
        delegated_prefix: '2001:db8:2::/56',
        framed_route: '10.9.0.0/24',
      };
      const isp = withAnna({
        paidUntilMs: paidS === null ? null : noonMs + paidS * 1000,
        addresses: kinds.map((kind) => ({ kind, prefix: prefixes[kind] })),
        attributes: toAttributes(ofSubscription),
      });
      const nas: Partial<NasRecord> = { vendor, policies, attributes: toAttributes(ofNas) };
      isp.nasChanged([nasOf(nas)]);
      isp.world.plan = { attributes: toAttributes(ofPlan), suspendAction };
      if (fupSpeed) isp.world.profile = { fupSpeed };
      const found = await explained(isp);
      const real = await isp.login({ userName: 'anna' }, { method, password: 'secret' });
      if (found.result !== (real.code === 'accessAccept' ? 'accept' : 'reject'))
        throw new Error(`${found.result} ${real.code}`);
      const told = found.attributes.map(({ name, value }) => ({ name, value }));
      if (JSON.stringify(told) !== JSON.stringify(real.attributes))
        throw new Error(`explained ${JSON.stringify(told)}\nreal ${JSON.stringify(real.attributes)}`);
    },
  );
  await fc.assert(property, { numRuns: runs(300) });
  t.pass('holds');
});

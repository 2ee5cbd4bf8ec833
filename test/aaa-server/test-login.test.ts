// Logins that an operator tries: every method, right and wrong, through the worker's own handler, and nothing of them stays.
import t, { type Test } from 'tap';
import { showPacket } from '#aaa-server/explain/attributes.ts';
import { proofMethods } from '#aaa-server/explain/request.ts';
import { createTestLogins } from '#aaa-server/explain/test-login.ts';
import { decodePacket } from '#aaa-server/wire/packet.ts';
import { openCrypt } from '#ops/runtime/crypt.ts';
import {
  longestForwardMs,
  longestRejectDelayMs,
  slowHashPatienceMs,
  testPatienceMs,
} from '#policy/access/login-patience.ts';
import { loginSentence } from '#policy/access/login-sentences.ts';
import { createLedger } from '#policy/ledger/ledger.ts';
import { storeForTest } from '#test/policy/ledger/ledger-under-test.ts';
import { poolOf } from '#test/policy/ledger/pool-model.ts';
import { keyring, nasOf } from './support/isp.ts';
import { createOperated, dictionary, noonMs, type Operated } from './support/operated.ts';

t.setTimeout(60_000);

const tried = async (isp: Operated, change: Partial<Parameters<Operated['testLogin']>[0]> = {}) => {
  const result = await isp.testLogin({ tenantId: 1, userName: 'anna', method: 'pap', password: 'secret', ...change });
  if (!result.ok) throw new Error(result.problem);
  const packet = result.reply && decodePacket(Buffer.from(result.reply));
  return { ...result, attributes: packet?.ok ? showPacket(dictionary, packet) : [] };
};

t.test('every method accepts the right password and rejects a wrong one', async (t) => {
  const isp = createOperated();
  const id = isp.add('anna');
  for (const method of proofMethods) {
    const right = await tried(isp, { method });
    t.match(
      right,
      { result: 'accept', reason: null, outcome: 'accept:5000000/20000000', subscriptionId: id, nasId: 1 },
      method,
    );
    t.match(
      right.attributes.find(({ name }) => name === 'Mikrotik-Rate-Limit'),
      { value: '5M/20M' },
    );
    t.match(
      right.attributes.find(({ name }) => name === 'Class'),
      { value: '***' },
      'a Class speaks for a session',
    );
    t.ok((right.durationUs ?? -1) >= 0);
    const wrong = await tried(isp, { method, password: 'guess' });
    t.match(wrong, { result: 'reject', reason: 'wrong_password', outcome: null, subscriptionId: null }, method);
    const nobody = await tried(isp, { method, userName: 'nobody' });
    t.match(nobody, { result: 'reject', reason: 'unknown_user' }, method);
  }
  const keys = (await tried(isp, { method: 'mschapv2' })).attributes.filter(({ name }) =>
    /^MS-MPPE-(Send|Recv)-Key$/.test(name),
  );
  t.strictSame(
    keys.map(({ value }) => value),
    ['***', '***'],
    'nor are keys shown',
  );
});

t.test('what policy refuses is refused, and a name with a domain is answered as its client asked', async (t) => {
  const isp = createOperated();
  isp.add('anna', 'secret', { paidUntilMs: noonMs - 1 });
  isp.add('bob', 'x');
  t.match(await tried(isp), { result: 'reject', reason: 'expired' });
  t.match(await tried(isp, { userName: 'CORP\\bob', password: 'x', method: 'mschapv2' }), { result: 'accept' });
});

t.test('a slow hash is waited for; one that cannot serve the method is told', async (t) => {
  const crypt = await openCrypt();
  const isp = createOperated({ crypt });
  isp.add(
    'anna',
    '$6$abcdefgh$yVfUwsw5T.JApa8POvClA1pQ5peiq97DUNyXCZN5IrF.BMSkiaLQ5kvpuEm/VQ1Tvh/KV2TcaWh8qinoW5dhA1',
    {},
    '',
    'crypt',
  );
  t.match(await tried(isp, { method: 'chap' }), { result: 'reject', reason: 'unsuitable_scheme' });
  const found = await tried(isp, { password: 'wrong' });
  if (typeof crypt === 'string') t.match(found, { result: 'unanswered', reason: 'password_scheme_unavailable' });
  else t.match(found, { result: 'reject', reason: 'wrong_password' });
});

t.test(
  'a login is waited for longer than a slow hash, home servers and the delay of a reject take; then that is told',
  async (t) => {
    const isp = createOperated();
    const waits: number[] = [];
    const testLogin = createTestLogins({
      ...{ snapshot: isp.snapshot, keyring, clock: { nowMs: () => noonMs } },
      handler: { handlePacket: () => null },
      later(callback, ms) {
        waits.push(ms);
        setImmediate(callback);
      },
    });
    t.match(await testLogin({ tenantId: 1, userName: 'anna', method: 'pap', password: 'secret' }), {
      result: 'unanswered',
      reason: 'no_answer',
    });
    t.strictSame(waits, [testPatienceMs.worker]);
    t.ok(testPatienceMs.worker > Math.max(slowHashPatienceMs, longestForwardMs) + longestRejectDelayMs);
    t.ok(testPatienceMs.mainThread > testPatienceMs.worker && testPatienceMs.api > testPatienceMs.mainThread);
    t.match(loginSentence('no_answer'), /^Nothing was decided/);
  },
);

t.test('a stay in the garden is told as what it is', async (t) => {
  const isp = createOperated();
  const stay = { framedPool: '', addressList: 'portal', portalUrl: '', sessionTimeoutS: 300, atOnce: 1 };
  isp.world.tenant = { refusedLogins: { unknown_user: { ...stay, speed: { upBps: 1e6, downBps: 1e6 } } } };
  for (let i = 0; i < 3; i++) {
    t.match(await tried(isp), { result: 'accept', reason: 'unknown_user', subscriptionId: null, outcome: null });
  }
});

t.test('without a complete copy there is no answer, and the reason is told', async (t) => {
  const isp = createOperated();
  isp.add('anna');
  isp.world.complete = false;
  t.match(await tried(isp), { result: 'unanswered', reason: 'snapshot_incomplete', reply: null });
});

t.test('an access server of another tenant cannot be spoken for, and its own is not taken for heard', async (t) => {
  const isp = createOperated();
  isp.add('anna');
  isp.nasChanged([nasOf({ id: 1, address: '192.0.2.1' }), nasOf({ id: 2, address: '192.0.2.2', tenantId: 2 })]);
  const of = (nas: string) => isp.testLogin({ tenantId: 1, userName: 'anna', method: 'pap', password: 'secret', nas });
  t.strictSame(await of('192.0.2.2'), { ok: false, problem: 'nas_unknown' });
  t.match(await of('192.0.2.1'), { ok: true, result: 'accept' });
  t.strictSame(isp.handler.nasActivities(), [], 'nothing was counted of the access server');
});

t.test('a test takes no try of a member of staff, and brings none back', async (t) => {
  const isp = createOperated();
  isp.isp.addDeviceUser('rita', 'engineer');
  const asks = { userName: 'rita', serviceType: 6 };
  for (let i = 0; i < 6; i++) {
    t.match(await tried(isp, { ...asks, password: 'guess' }), { result: 'reject', reason: 'device_login_refused' });
  }
  const login = async (password: string) => (await isp.login(asks, { method: 'pap', password })).code;
  for (let i = 0; i < 4; i++) t.equal(await login('guess'), 'accessReject');
  t.match(await tried(isp, { ...asks, password: 'engineer' }), { result: 'accept' });
  t.equal(await login('guess'), 'accessReject');
  t.equal(await login('engineer'), 'accessReject', 'five tries of the device itself are gone');
  t.equal(isp.counted('deviceLogins', 'throttled'), 1);
});

t.test('no lease, session or device stays', async (t) => {
  const { redis } = await storeForTest(t as Test);
  await createLedger(redis).load();
  const everyKey = () => (redis as unknown as { keys(pattern: string): Promise<string[]> }).keys('*');
  const before = await everyKey();
  const isp = createOperated({ redis: redis as never });
  isp.add('anna');
  isp.world.tenant = { sessionMode: 'refuse' };
  isp.world.plan = {
    network: {
      ipv4PoolId: 5,
      ipv6PoolId: null,
      delegatedPoolId: null,
      sessionLimit: 1,
      macLimit: 1,
      macMode: 'replace',
    },
  };
  isp.world.pools = [poolOf()];
  const found = await tried(isp, { callingStationId: '00-00-00-00-00-01' });
  t.match(
    found.attributes.find(({ name }) => name === 'Framed-IP-Address'),
    { value: '100.64.0.0' },
  );
  t.strictSame(await everyKey(), before);
});

// The auth log: which logins are written, what of them, and that ClickHouse is never waited for.
import t from 'tap';
import type { LoginBatch } from '#aaa-server/login-log/log.ts';
import { createLoginShipper } from '#aaa-server/login-log/shipper.ts';
import { unknownName, visibleText } from '#aaa-server/login-log/visible.ts';
import { readLogins, readRejects } from '#ops/history/logins.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import { startClickHouse } from '#test/support/clickhouse.ts';
import { until } from '#test/support/wait.ts';
import { createOperated, noonMs, type Operated } from './support/operated.ts';

t.setTimeout(180_000);
const hourMs = 3_600_000;
const pap = (password: string) => ({ method: 'pap', password }) as const;

async function flushed(isp: Operated): Promise<LoginBatch> {
  await isp.loginLog.stop();
  const [batch] = isp.batches.splice(0);
  if (!batch) throw new Error('nothing was handed over');
  return batch;
}

t.test('a login beyond the rate is counted, not written; rejects leave their number', async (t) => {
  const isp = createOperated({ acceptsPerSecond: 2, rejectsPerSecond: 1 });
  isp.add('anna');
  for (let i = 0; i < 5; i++) await isp.login({ userName: 'anna' }, pap('secret'));
  for (let i = 0; i < 4; i++) await isp.login({ userName: 'anna' }, pap('wrong'));
  const batch = await flushed(isp);
  t.match(batch, { rows: 2 + 1 + 1, acceptsLeftOut: 3, rejectsLeftOut: 3 });
  await isp.login({ userName: 'anna' }, pap('secret'));
  t.match(await flushed(isp), { rows: 1, acceptsLeftOut: 0 }, 'the next second begins anew');
  await isp.testLogin({ tenantId: 1, userName: 'anna', method: 'pap', password: 'secret' });
  t.match(await flushed(isp), { rows: 1 });
});

t.test(
  'a login of staff to the device itself is written as nobody’s, also beside a subscriber of the same name',
  async (t) => {
    const isp = createOperated();
    isp.add('anna');
    isp.isp.addDeviceUser('anna', 'engineer');
    const subscriptionIn = ({ body }: LoginBatch) => Buffer.from(body).readBigUInt64LE(16);
    await isp.login({ userName: 'anna', serviceType: 6 }, pap('engineer'));
    const accepted = await flushed(isp);
    t.equal(subscriptionIn(accepted), 0n);
    t.match(Buffer.from(accepted.body).toString('latin1'), 'device:full');
    await isp.login({ userName: 'anna', serviceType: 6 }, pap('secret'));
    const refused = await flushed(isp);
    t.equal(subscriptionIn(refused), 0n);
    t.match(Buffer.from(refused.body).toString('latin1'), 'device_login_refused');
    await isp.login({ userName: 'anna', serviceType: 2 }, pap('secret'));
    t.not(subscriptionIn(await flushed(isp)), 0n);
  },
);

t.test('texts of a request are bounded and visible, and a password typed as a name is not shown', async (t) => {
  t.equal(visibleText('a\u0000b\u001b[2J\u0085'), 'a\\x00b\\x1b[2J\\x85');
  t.equal(visibleText('x'.repeat(200)).length, 129);
  t.equal(visibleText('\ud800x').isWellFormed(), true);
  for (const name of [
    'bob',
    'bob@example.net',
    'CORP\\bob',
    'user_12.x-y',
    'AA-BB-cc-11-22-33',
    'aabbccDD1122',
    'José',
    'a\u0007',
  ])
    t.equal(unknownName(name), visibleText(name), name);
  for (const name of ['hunter2!', 'correct horse', 'Tr0ubadour', 'p@ss w0rd', '#x', 'Passw0rd'])
    t.equal(unknownName(name), `(hidden, ${name.length} characters)`, name);
});

t.test('on a real ClickHouse', async (t) => {
  const store = await startClickHouse(t);
  const { client } = store;
  const registry = new Registry();
  const shipper = createLoginShipper({
    clickhouse: client,
    registry,
    log: createLogger('test', 'silent'),
    limitBytes: 20_000,
  });
  await shipper.start();
  t.teardown(() => shipper.stop());
  const metric = async (name: string, labels: Record<string, string> = {}) =>
    (await registry.getSingleMetric(name)!.get()).values.find((one) =>
      Object.entries(labels).every(([key, value]) => (one.labels as Record<string, unknown>)[key] === value),
    )?.value ?? 0;
  const rows = () => metric('lastmile_login_log_rows_total');
  const span = { tenantId: 1, fromMs: noonMs - hourMs, toMs: noonMs + hourMs, limit: 100 };

  await t.test('rows say who, where, how, what and why, newest first, page by page', async (t) => {
    const isp = createOperated({ rejectsPerSecond: 4 });
    const anna = isp.add('anna', 'secret', { addresses: [{ kind: 'ipv4', prefix: '10.0.0.7/32' }] });
    isp.add('00112233aabb', '', {}, ':mac', 'none');
    await isp.login({ userName: 'anna', callingStationId: '00-11', nasPortId: 'ge-0/0\u0001' }, pap('secret'));
    await isp.login({ userName: 'anna' }, { method: 'mschapv2', password: 'hunter2!' });
    await isp.login({ userName: 'Hunter22hunter' }, { method: 'chap', password: 'x' });
    await isp.login({ userName: '00:11:22:33:aa:bb', serviceType: 10 });
    await isp.testLogin({ tenantId: 1, userName: 'anna', method: 'chap', password: 'wrong' });
    isp.isp.changeSubscription(anna, { status: 'paused' });
    await isp.login({ userName: 'anna' }, pap('secret'));
    for (let i = 0; i < 3; i++) await isp.login({ userName: 'anna' }, pap('secret'));
    const batch = await flushed(isp);
    t.notMatch(Buffer.from(batch.body).toString('latin1'), /hunter|secret/i, 'no password, however it was typed');
    shipper.take(batch);
    await until(async () => (await rows()) === batch.rows, 'the rows are written', 20_000);

    const { logins, leftOut } = await readLogins(client, span);
    t.equal(leftOut, 3);
    t.match(logins.toReversed(), [
      {
        ...{
          result: 'accept',
          reason: '',
          userName: 'anna',
          subscriptionId: anna,
          nasId: 1,
          method: 'pap',
          test: false,
        },
        ...{ framedIp: '10.0.0.7', outcome: 'accept:5000000/20000000', callingStationId: '00-11' },
        ...{ nasPortId: 'ge-0/0\\x01', node: 'node', worker: 3, atMs: noonMs },
      },
      { result: 'reject', reason: 'wrong_password', subscriptionId: anna, method: 'mschapv2' },
      {
        result: 'reject',
        reason: 'unknown_user',
        subscriptionId: 0,
        userName: '(hidden, 14 characters)',
        method: 'chap',
      },
      { result: 'accept', userName: '00:11:22:33:aa:bb', subscriptionId: 2, method: 'vouched' },
      { result: 'reject', reason: 'wrong_password', test: true },
      { result: 'reject', reason: 'subscription_paused', subscriptionId: anna, outcome: '' },
    ]);
    const first = await readLogins(client, { ...span, limit: 4 });
    const second = await readLogins(client, { ...span, limit: 4, after: first.logins.at(-1)! });
    t.strictSame([...first.logins, ...second.logins], logins, 'two pages are the whole');
    const only = async (query: object) => (await readLogins(client, { ...span, ...query })).logins.length;
    t.equal(await only({ subscriptionId: anna }), 4);
    t.equal(await only({ userName: 'anna', result: 'accept' }), 1);
    t.equal(await only({ reason: 'unknown_user', nasId: 1 }), 1);
    t.equal(await only({ nasId: 2 }), 0);
    t.equal(await only({ tenantId: 2 }), 0);
    t.equal(await only({ fromMs: noonMs + 1 }), 0);

    const counted = await readRejects(client, { ...span, by: 'reason', keys: 10 });
    t.strictSame(
      counted.hours.map(({ hourMs: at, key, count }) => [at, key, count]),
      [
        [noonMs, 'subscription_paused', 1],
        [noonMs, 'unknown_user', 1],
        [noonMs, 'wrong_password', 1],
      ],
      'the test of the operator is none of them',
    );
    t.equal(counted.leftOut, 3);
    t.match(counted.top[0], { userName: 'anna', subscriptionId: anna });
    t.match((await readRejects(client, { ...span, by: 'nas', keys: 10 })).hours, [{ key: '1' }]);
    t.equal((await readRejects(client, { ...span, by: 'username', keys: 1 })).hours.length, 1);
  });

  await t.test('logins of staff to devices are shown only to who may know of them', async (t) => {
    const isp = createOperated();
    isp.isp.addDeviceUser('olga', 'secret');
    isp.isp.addDeviceUser('rita', 'secret', { passwordCipher: Buffer.from('of a key that is gone') });
    isp.add('carl');
    await isp.login({ userName: 'olga', serviceType: 6 }, pap('secret'));
    await isp.login({ userName: 'olga', serviceType: 6 }, pap('wrong'));
    await isp.testLogin({ tenantId: 1, userName: 'rita', serviceType: 6, method: 'pap', password: 'secret' });
    await isp.login({ userName: 'carl' }, pap('wrong'));
    const batch = await flushed(isp);
    const before = await rows();
    shipper.take(batch);
    await until(async () => (await rows()) === before + batch.rows, 'the rows are written', 20_000);
    const of = async (userName: string, withoutStaff: boolean) =>
      (await readLogins(client, { ...span, userName, withoutStaff })).logins.map(({ result }) => result);
    t.strictSame(await of('olga', false), ['reject', 'accept']);
    t.strictSame(await of('rita', false), ['unanswered']);
    for (const name of ['olga', 'rita']) t.strictSame(await of(name, true), [], name);
    t.strictSame(await of('carl', true), ['reject']);
    const rejects = async (withoutStaff: boolean) =>
      (await readRejects(client, { ...span, by: 'username', keys: 10, withoutStaff })).top.map((one) => one.userName);
    t.ok((await rejects(false)).includes('olga'));
    t.notOk((await rejects(true)).includes('olga'));
  });

  await t.test(
    'while ClickHouse is away logins go on, rows wait in bounded memory, and what waited comes',
    async (t) => {
      const before = await rows();
      await store.kill();
      const isp = createOperated();
      isp.add('anna');
      let made = 0;
      for (
        let round = 0;
        (await metric('lastmile_login_log_dropped_total', { reason: 'memory_full' })) === 0;
        round++
      ) {
        const login = await isp.login({ userName: 'anna' }, pap('secret'));
        if (login.code !== 'accessAccept') throw new Error(login.code);
        if (round % 50 !== 49) continue;
        const batch = await flushed(isp);
        made += batch.rows;
        shipper.take(batch);
      }
      t.ok(made > 100, `${made} logins`);
      const dropped = await metric('lastmile_login_log_dropped_total', { reason: 'memory_full' });
      await store.restart();
      await until(async () => (await rows()) - before === made - dropped, 'what waited is written', 60_000);
      t.equal(await metric('lastmile_login_log_waiting_rows'), 0);
    },
  );
});

// Enforcement of a node against a real Redis and a scripted access server: what is told, recorded, repeated and left alone.
import t from 'tap';
import { listActions } from '#policy/ledger/actions.ts';
import { createEnforcementLedger, type Lease } from '#policy/ledger/enforcement.ts';
import { keys, partitionOf } from '#policy/ledger/keys.ts';
import { redisForTest } from '#test/support/redis.ts';
import { until } from '#test/support/wait.ts';
import { createIsp, fullSpeed, tenantId, throttled } from './harness.ts';
import { scriptedNas } from './scripted-nas.ts';

const server = await redisForTest(t);

async function setup(t: { teardown(handler: () => unknown): unknown }) {
  const nas = await scriptedNas(t);
  const isp = await createIsp(t, nas.port, server);
  await isp.redis.flushdb();
  return { nas, isp };
}

t.test('a session that logged in with what it should have is told nothing, and is told once it crosses', async (t) => {
  const { nas, isp } = await setup(t);
  const node = isp.node('a');
  await node.start();
  await isp.open(1);
  await until(async () => (await isp.session(1)).acked === fullSpeed, 'the login is recognised');
  t.equal(nas.received.length, 0);

  node.nudge([await isp.cross(1)]);
  await until(async () => (await isp.session(1)).acked === throttled, 'the throttle is confirmed');
  t.match(nas.received, [{ kind: 'coa', sessionId: 's1', userName: 'user1', rate: '2M/2M' }]);
  t.match(await isp.session(1), { desired: throttled, sent: throttled, cause: '' });
  const published = await isp.redis.xrange(keys.profile(partitionOf(tenantId, 1)), '-', '+');
  const fields = published[0]![1];
  t.strictSame(fields.slice(0, 10), ['tenant', '1', 'sub', '1', 'up', '2000000', 'down', '2000000', 'blocked', '0']);
  t.match(await node.registry.metrics(), /lastmile_enforcement_lag_seconds_count 1/);
  const streams = [keys.enforce, keys.opened].map((stream) => isp.redis.xlen(stream(partitionOf(tenantId, 1))));
  t.strictSame(await Promise.all(streams), [0, 0], 'finished entries are gone');
  const actions = await until(async () => {
    const listed = await listActions(isp.redis, tenantId, 10);
    return listed.length === 1 && listed;
  }, 'the action is there to be seen');
  t.match(actions, [{ tenantId, userName: 'user1', by: 'coa', outcome: throttled, result: 'ack', errorCause: '' }]);
  t.ok((actions[0]?.lagMs ?? -1) >= 0, 'and how long it took');
});

t.test('fair use ends with the day: the wheel gives the speed back', async (t) => {
  const { nas, isp } = await setup(t);
  await isp.node('a').start();
  await isp.open(1);
  await isp.cross(1);
  await until(async () => (await isp.session(1)).acked === throttled, 'the throttle');
  const at = await isp.redis.zscore(keys.wheel(partitionOf(tenantId, 1)), '1:1');
  const midnight = (Math.floor(isp.timer.nowMs() / 86_400_000) + 1) * 86_400_000;
  t.equal(Number(at), midnight);
  isp.state.offsetMs = midnight - Date.now() + 5;
  await until(async () => (await isp.session(1)).acked === fullSpeed, 'the speed is back');
  t.strictSame(
    nas.received.map(({ rate }) => rate),
    ['2M/2M', '5M/20M'],
  );
  await until(async () => /^1\|1\|0\|0\|0\|/.test(await isp.lastProfile(1)), 'logins give the full speed too');
});

t.test('a subscriber who expires is disconnected with nothing but the names of the session', async (t) => {
  const { nas, isp } = await setup(t);
  const node = isp.node('a');
  await node.start();
  isp.subscribe(1, { paidUntilMs: isp.timer.nowMs() + 700 });
  await isp.open(1);
  await until(() => nas.received.length > 0, 'the Disconnect-Request');
  t.equal(nas.received[0]!.kind, 'disconnect');
  t.strictSame(nas.received[0]!.types, [80, 1, 44, 8, 31, 4, 55]);
  await until(async () => (await isp.session(1)).acked === 'reject:expired', 'the ACK');
  node.changed({ kind: 'subscription', tenantId, id: 1 });
  await until(async () => /cause="changed"} 1/.test(await node.registry.metrics()), 'another evaluation');
  t.equal(nas.received.length, 1, 'the session waits for its Stop');
});

t.test('an access server that changes no session is told to end it, and nothing more', async (t) => {
  const { nas, isp } = await setup(t);
  isp.state.nas = { ...isp.state.nas, vendor: 'edgeos' };
  isp.state.nasGeneration++;
  const node = isp.node('a');
  await node.start();
  await isp.open(1);
  await until(async () => (await isp.session(1)).acked === fullSpeed, 'the login is recognised');
  node.nudge([await isp.cross(1)]);
  await until(async () => (await isp.session(1)).acked === 'disconnect', 'the Disconnect is confirmed');
  t.match(nas.received, [{ kind: 'disconnect', sessionId: 's1', userName: 'user1' }]);
  t.strictSame(nas.received[0]!.types, [80, 1, 44, 8, 55], 'with nothing but the names of the session');
  t.same(node.alarms, []);
});

t.test(
  'an access server without a name for the speed is told the slowest it has, without any nothing; operators hear of it',
  async (t) => {
    const { nas, isp } = await setup(t);
    isp.state.nas = {
      ...isp.state.nas,
      vendor: 'nokia',
      policies: [{ ...isp.plan.speed, name: 'full', upName: null }],
    };
    isp.state.nasGeneration++;
    const node = isp.node('a');
    await node.start();
    await isp.open(1);
    await until(async () => (await isp.session(1)).acked === fullSpeed, 'the login is recognised');
    node.nudge([await isp.cross(1)]);
    await until(async () => (await isp.session(1)).acked === throttled, 'the slowest there is was told in its place');
    t.same(node.alarms, ['speed_policy_missing']);
    t.equal(nas.received.length, 1);
    isp.state.nas = { ...isp.state.nas, policies: [] };
    isp.state.nasGeneration++;
    await isp.open(2);
    await until(async () => (await isp.session(2)).acked === fullSpeed, 'the login is recognised');
    node.nudge([await isp.cross(2)]);
    await until(() => node.alarms.includes('no_speed_policy'), 'without any name nothing can be told');
    t.equal(nas.received.length, 1);
  },
);

t.test('a newer wish waits for the one under way', async (t) => {
  const { nas, isp } = await setup(t);
  let answerFirst = () => {};
  nas.answer = (request) =>
    request.rate === '2M/2M' ? new Promise((resolve) => (answerFirst = () => resolve('ack'))) : 'ack';
  const node = isp.node('a');
  await node.start();
  await isp.open(1);
  await isp.cross(1);
  await until(() => nas.received.length === 1, 'the throttle is sent');
  isp.forget(1);
  node.changed({ kind: 'subscription', tenantId, id: 1 });
  await until(async () => (await isp.session(1)).desired === fullSpeed, 'the newer wish is known');
  t.equal(nas.received.length, 1, 'and waits');
  answerFirst();
  await until(() => nas.received.length === 2, 'the newer one is sent');
  await until(async () => (await isp.session(1)).acked === fullSpeed, 'the newer one is confirmed');
  t.strictSame(
    nas.received.map(({ rate }) => rate),
    ['2M/2M', '5M/20M'],
  );
});

t.test('an access server that does not know the session is not asked again', async (t) => {
  const { nas, isp } = await setup(t);
  nas.answer = () => 503;
  const node = isp.node('a');
  await node.start();
  await isp.open(1);
  await isp.cross(1);
  await until(async () => (await isp.session(1)).cause === '503', 'the NAK is recorded');
  for (let count = 1; count <= 3; count++) {
    node.changed({ kind: 'subscription', tenantId, id: 1 });
    await until(async () => new RegExp(`cause="changed"} ${count}`).test(await node.registry.metrics()), 'evaluation');
  }
  t.equal(nas.received.length, 1);
  t.match(await isp.session(1), { desired: throttled, sent: throttled, acked: fullSpeed });
  t.match(await listActions(isp.redis, tenantId, 10), [{ outcome: throttled, result: 'nak', errorCause: '503' }]);
});

t.test('a refused CoA raises an alarm and becomes one Disconnect; without the fallback nothing follows', async (t) => {
  for (const [fallback, kinds] of [
    ['disconnect', ['coa', 'disconnect']],
    ['none', ['coa']],
  ] as const) {
    const { nas, isp } = await setup(t);
    nas.answer = ({ kind }) => (kind === 'coa' ? 401 : 'ack');
    const node = isp.node('a', { config: { COA_FALLBACK: fallback } });
    await node.start();
    await isp.open(1);
    await isp.cross(1);
    await until(() => nas.received.length === kinds.length, `${kinds}`);
    await until(async () => (await isp.session(1)).cause === (fallback === 'none' ? '401' : ''), 'it is recorded');
    node.changed({ kind: 'subscription', tenantId, id: 1 });
    await until(async () => /cause="changed"} 1/.test(await node.registry.metrics()), 'another evaluation');
    t.strictSame(
      nas.received.map(({ kind }) => kind),
      kinds,
    );
    t.strictSame(node.alarms, ['nak_401']);
    await node.stop();
  }
});

t.test('an access server without resources is asked again later', async (t) => {
  const { nas, isp } = await setup(t);
  nas.answer = () => (nas.received.length === 1 ? 506 : 'ack');
  await isp.node('a').start();
  await isp.open(1);
  const partition = await isp.cross(1);
  await until(async () => (await isp.session(1)).cause === '506', 'the NAK');
  const retryMs = () => isp.redis.zscore(keys.wheel(partition), '1:1').then((at) => Number(at) - isp.timer.nowMs());
  await until(async () => (await retryMs()) < 40_000, 'the wheel holds the next try');
  t.ok((await retryMs()) > 20_000);
  t.equal(nas.received.length, 1);
});

t.test(
  'observe records and sends nothing, off does neither; the weaker of tenant and access server counts',
  async (t) => {
    const { nas, isp } = await setup(t);
    const node = isp.node('a');
    await node.start();
    isp.state.nas = { ...isp.state.nas, mode: 'observe' };
    isp.state.nasGeneration++;
    await isp.open(1);
    await isp.cross(1);
    await until(async () => (await isp.session(1)).desired === throttled, 'the wish is recorded');
    isp.state.mode = 'off';
    await isp.open(2);
    await isp.cross(2);
    await until(async () => /cause="crossed"} 2/.test(await node.registry.metrics()), 'the evaluation');
    t.match(await isp.session(2), { desired: '', acked: '' });
    t.equal(nas.received.length, 0);

    isp.state.mode = 'enforce';
    isp.state.nas = { ...isp.state.nas, mode: 'enforce' };
    isp.state.nasGeneration++;
    node.changed({ kind: 'nas', tenantId, id: 1 });
    await until(async () => (await isp.session(2)).acked === throttled, 'both are enforced now');
    await until(async () => (await isp.session(1)).acked === throttled, 'both are enforced now');
  },
);

t.test('nothing is done before the snapshot is complete, and everything after', async (t) => {
  const { nas, isp } = await setup(t);
  isp.state.complete = false;
  await isp.node('a').start();
  await isp.open(1);
  const partition = await isp.cross(1);
  await until(
    async () => (await isp.redis.exists(`lease:{p${String(partition).padStart(2, '0')}}`)) === 1,
    'ownership',
  );
  t.equal(await isp.redis.xlen(keys.enforce(partition)), 1);
  t.equal(await isp.redis.xlen(keys.opened(partition)), 1);
  isp.state.complete = true;
  await until(async () => (await isp.session(1)).acked === throttled, 'the throttle');
  t.equal(nas.received.length, 1);
});

t.test('of two nodes one acts; when it loses Redis the other takes over', async (t) => {
  const { nas, isp } = await setup(t);
  const own = isp.connect();
  await own.connect();
  const first = isp.node('a', { redis: own });
  const second = isp.node('b');
  await first.start();
  await until(async () => /partitions_owned 64/.test(await first.registry.metrics()), 'the first owns all');
  await second.start();
  for (let id = 1; id <= 10; id++) await isp.open(id);
  for (let id = 1; id <= 10; id++) await isp.cross(id);
  await until(() => nas.received.length >= 10, 'ten throttles');
  await until(async () => (await isp.session(10)).acked === throttled, 'confirmed');
  t.equal(nas.received.length, 10, 'none of them twice');
  t.match(await second.registry.metrics(), /partitions_owned 0/);

  nas.answer = () => null;
  await isp.open(11);
  await isp.cross(11);
  await until(() => nas.received.length === 11, 'the first node is in the middle of a change');
  own.disconnect();
  nas.answer = () => 'ack';
  await until(async () => (await isp.session(11)).acked === throttled, 'the second node makes it', 5000);
  t.match(await first.registry.metrics(), /partitions_owned 0/, 'the first one knew that it had lost');
  t.match(await second.registry.metrics(), /partitions_owned 64/);
  t.equal(nas.received.length, 12);
});

t.test('Redis killed and started again: enforcement goes on by itself', async (t) => {
  const { nas, isp } = await setup(t);
  const node = isp.node('a');
  await node.start();
  await isp.open(1);
  await until(async () => (await isp.session(1)).acked === fullSpeed, 'the login');
  await isp.cross(1);
  await server.kill9();
  await server.start();
  await until(async () => (await isp.session(1)).acked === throttled, 'the throttle', 10_000);
  t.ok(nas.received.length >= 1);
});

t.test('a crossing is claimed whatever number of sessions opened before it', async (t) => {
  const { isp } = await setup(t);
  const partition = await isp.open(1);
  for (let i = 0; i < 500; i++) await isp.entry(1, 'opened');
  await isp.entry(1, 'crossed');
  const ledger = createEnforcementLedger(isp.redis, 'a');
  const most = { leaseMs: 60_000, crossings: 32, visibilityMs: 60_000, again: true, nowMs: 1000 };
  const busy = await ledger.claim(partition, '', { ...most, count: 0 });
  t.match(busy?.entries, [{ kind: 'crossed', subscriptionId: 1 }]);
  const calm = await ledger.claim(partition, busy?.lease.token ?? '', { ...most, count: 32 });
  t.equal(calm?.entries.length, 32);
  t.ok(calm?.entries.every(({ kind }) => kind === 'opened'));
  if (busy) await ledger.done(busy.lease, busy.entries);
  t.equal(await isp.redis.xlen(keys.enforce(partition)), 0);
  t.equal(await isp.redis.xlen(keys.opened(partition)), 501, 'of the other stream nothing is finished by that');
});

t.test('claimed work that was never finished comes again, and only the owner may write', async (t) => {
  const { isp } = await setup(t);
  const partition = await isp.open(1);
  await isp.redis.zadd(keys.wheel(partition), 500, '1:1');
  const a = createEnforcementLedger(isp.redis, 'a');
  const b = createEnforcementLedger(isp.redis, 'b');
  const options = { leaseMs: 60_000, crossings: 10, count: 10, visibilityMs: 100, again: true, nowMs: 1000 };

  const first = (await a.claim(partition, '', options))!;
  t.match(first, { fresh: true, entries: [{ kind: 'opened', subscriptionId: 1 }], due: [{ subscriptionId: 1 }] });
  t.equal(await b.claim(partition, '', options), null, 'another node gets nothing');
  const again = (await a.claim(partition, first.lease.token, options))!;
  t.match(again, { fresh: false, entries: [], due: [] }, 'what is claimed is not handed out twice');
  let due = 0;
  await until(async () => {
    const claim = await a.claim(partition, first.lease.token, { ...options, nowMs: 1100 });
    due += claim?.due.length ?? 0;
    return claim?.entries.length === 1;
  }, 'the visibility timeout');
  t.equal(due, 1);

  const restarted = (await a.claim(partition, '', options))!;
  t.ok(Number(restarted.lease.token) > Number(first.lease.token), 'the token grows');
  t.equal(restarted.entries.length, 1, 'a restarted node inherits at once');
  t.equal(await a.claim(partition, first.lease.token, options), null, 'the one before it is fenced off');
  const stale: Lease = first.lease;
  t.equal(await a.record(stale, isp.sessionKey(1), 1, { acked: 'x' }), 'not_owner');
  t.equal(await a.record(restarted.lease, isp.sessionKey(1), 2, { acked: 'x' }), 'gone', 'another incarnation');
  t.equal(await a.record(restarted.lease, isp.sessionKey(1), 1, { acked: fullSpeed, updatedAtMs: 7 }), 'ok');
  t.match(await isp.session(1), { acked: fullSpeed, eupd: '7' });
  await isp.close(1);
  t.equal(await a.record(restarted.lease, isp.sessionKey(1), 1, { acked: 'x' }), 'gone', 'a closed session');

  const who = { tenantId, subscriptionId: 1 };
  const score = () => isp.redis.zscore(keys.wheel(partition), '1:1');
  await a.schedule(restarted.lease, who, 5000);
  t.equal(await score(), '1200', 'an earlier instant stays');
  await a.schedule(restarted.lease, who, 5000, 1200);
  t.equal(await score(), '5000', 'what was claimed is moved');
  await a.schedule(stale, who, 1);
  t.equal(await score(), '5000');
  await a.schedule(restarted.lease, who, null, 5000);
  t.equal(await score(), null);
});

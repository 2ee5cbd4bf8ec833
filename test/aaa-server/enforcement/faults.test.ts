// What goes wrong at night: access servers that refuse or forget, lost Stops, stores that fell back, orders that are withdrawn.
import t from 'tap';
import { createFailures } from '#aaa-server/enforcement/failures.ts';
import { createEnforcementMetrics } from '#aaa-server/enforcement/metrics.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import { listBrakes } from '#policy/ledger/brake.ts';
import { keys, partitionOf } from '#policy/ledger/keys.ts';
import { redisForTest } from '#test/support/redis.ts';
import { until } from '#test/support/wait.ts';
import { createIsp, fullSpeed, tenantId, throttled } from './harness.ts';
import { scriptedNas } from './scripted-nas.ts';

const server = await redisForTest(t);
const minute = 60_000;

async function setup(t: { teardown(handler: () => unknown): unknown }) {
  const nas = await scriptedNas(t);
  const isp = await createIsp(t, nas.port, server);
  await isp.redis.flushdb();
  return { nas, isp };
}

const ids = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
const ago = (ms: number) => String(Date.now() - ms);
const told = (desired: string, change: object = {}) => ({ desired, sent: desired, acked: desired, ...change });
const stale = { desired: throttled, sent: throttled, acked: fullSpeed, cause: '503' };

t.test('sessions whose login is unknown are never disconnected by an access server that refuses CoA', async (t) => {
  const { nas, isp } = await setup(t);
  nas.answer = ({ kind }) => (kind === 'coa' ? 405 : 'ack');
  const node = isp.node('a');
  await node.start();
  await Promise.all(ids(60).map((id) => isp.open(id, '')));
  await until(async () => (await isp.session(60)).cause === '405', 'the NAK');
  await until(() => nas.received.length === 60, 'all were told their speed');
  node.changed({ kind: 'tenant', tenantId, id: tenantId });
  await until(async () => /cause="sweep"} (1[2-9]\d)/.test(await node.registry.metrics()), 'a sweep');
  t.ok(nas.received.every(({ kind }) => kind === 'coa'));
});

t.test('the Disconnects that follow refused changes pass the brake: the 51st is held', async (t) => {
  const { nas, isp } = await setup(t);
  nas.answer = ({ kind }) => (kind === 'coa' ? 405 : 'ack');
  const node = isp.node('a');
  await node.start();
  await Promise.all(ids(60).map((id) => isp.open(id, '', told(throttled))));
  const disconnects = () => nas.received.filter(({ kind }) => kind === 'disconnect').length;
  const brake = await until(async () => {
    const [first] = await listBrakes(isp.redis, tenantId);
    return first && first.pending + disconnects() === 60 && first;
  }, 'the brake');
  t.ok(disconnects() <= 50);
  t.strictSame(brake.reasons, { 'disconnect:refused': brake.pending });
});

t.test('a subscriber whom every login brings back unchanged is disconnected a few times, not for ever', async (t) => {
  const { nas, isp } = await setup(t);
  nas.answer = ({ kind }) => (kind === 'coa' ? 405 : 'ack');
  const node = isp.node('a');
  await node.start();
  await isp.cross(1);
  const disconnects = () => nas.received.filter(({ kind }) => kind === 'disconnect').length;
  for (let incarnation = 1; incarnation <= 4; incarnation++) {
    await isp.open(1, fullSpeed, { inc: String(incarnation) });
    await until(() => disconnects() === incarnation, `disconnect ${incarnation}`);
    await until(async () => (await isp.session(1)).acked === 'disconnect', 'its ACK');
  }
  await isp.open(1, fullSpeed, { inc: '5' });
  await until(() => node.alarms.includes('disconnect_loop'), 'the alarm');
  t.equal(disconnects(), 4);
});

t.test('a session that its access server forgot and that fell silent is closed at its last event', async (t) => {
  const { nas, isp } = await setup(t);
  const lastMs = Date.now() - 16 * minute;
  const eupd = ago(10 * minute);
  for (const id of [1, 3, 4]) await isp.report(id, lastMs);
  await isp.report(2, Date.now() - 14 * minute);
  for (const id of [1, 2]) await isp.mark(id, { ...stale, eupd });
  await isp.mark(3, { ...told(fullSpeed), eupd });
  await isp.mark(4, { ...told(throttled), sent: 'disconnect', acked: 'disconnect', eupd });
  for (const id of [1, 2, 4]) await isp.cross(id);
  const node = isp.node('a', { config: { ENFORCEMENT_SWEEP_S: 1 } });
  await node.start();
  await until(async () => (await isp.session(1)).state === 'closed', 'the sweep closes it');
  await until(async () => (await isp.session(4)).state === 'closed', 'and one whose Disconnect was confirmed');
  t.match(await isp.session(1), { why: 'silent', stop: String(lastMs) });
  const partition = partitionOf(tenantId, 1);
  t.equal(await isp.redis.scard(keys.subscriptionSessions(partition, tenantId, 1)), 0);
  t.equal(await isp.redis.zscore(keys.live(partition), isp.sessionKey(1)), null);
  t.ok((await isp.redis.pttl(isp.sessionKey(1))) > 0, 'its tombstone expires');
  t.equal((await isp.session(2)).state, 'open', 'it may still report');
  t.equal((await isp.session(3)).state, 'open', 'its access server was never asked');
  await until(
    async () => /lastmile_silent_sessions 1\n/.test(await node.registry.metrics()),
    'the silent one is shown',
  );
  await until(
    async () => /^lastmile_nas_open_sessions{tenant="1",nas="\d+",name="\w+"} 2$/m.test(await node.registry.metrics()),
    'and how many are open now',
  );
  t.match(await node.registry.metrics(), /^lastmile_session_outcomes{outcome="throttle"} 1$/m, 'one over its quota');
  t.equal(nas.received.length, 0);
});

t.test('a forgotten session that reports meanwhile is not closed', async (t) => {
  const { isp } = await setup(t);
  await isp.report(1, Date.now() - 16 * minute);
  await isp.mark(1, { ...stale, eupd: ago(10 * minute) });
  const [session] = await isp.sessionsOf(1);
  const { ledger, lease } = await isp.owner(partitionOf(tenantId, 1));
  await isp.report(1, Date.now());
  t.equal(await ledger.closeForgotten(lease, session!), false);
  t.equal((await isp.session(1)).state, 'open');
  const [now] = await isp.sessionsOf(1);
  t.equal(await ledger.closeForgotten({ ...lease, token: '0' }, now!), false, 'nor by a node that owns it no longer');
  t.equal(await ledger.closeForgotten(lease, now!), true);
  await isp.report(1, Date.now() + 1000);
  t.match(await isp.session(1), { state: 'open', inc: '1' }, 'a later report opens it again');
});

t.test('a login that did not know the last profile gets it published again', async (t) => {
  const { isp } = await setup(t);
  isp.subscribe(1, { customerStatus: 'blocked' });
  const node = isp.node('a');
  await node.start();
  await isp.open(1, fullSpeed);
  const stream = keys.profile(partitionOf(tenantId, 1));
  await until(async () => (await isp.redis.xlen(stream)) === 1, 'nothing is held: every mirror is told so');
  const [entry] = await isp.redis.xrange(stream, '-', '+');
  t.match(entry![1].slice(12, 14), ['held', '']);
});

t.test('a subscription that the snapshot does not know leaves the wheel', async (t) => {
  const { isp } = await setup(t);
  const wheel = keys.wheel(partitionOf(tenantId, 9));
  await isp.redis.zadd(wheel, 1, `${tenantId}:9`);
  await isp.node('a').start();
  await until(async () => (await isp.redis.zcard(wheel)) === 0, 'it is not handed out for ever');
});

t.test('changes that wait for their turn are withdrawn when enforcement is switched to observe', async (t) => {
  const { nas, isp } = await setup(t);
  isp.state.nas = { ...isp.state.nas, coaRatePerS: 10 };
  isp.state.nasGeneration++;
  const node = isp.node('a');
  await node.start();
  await Promise.all(ids(40).map((id) => isp.open(id, '', told(throttled))));
  await until(() => nas.received.length >= 2, 'the first are told');
  isp.state.mode = 'observe';
  const sent = nas.received.length;
  await until(
    async () => {
      const withdrawn = /{kind="coa",result="withdrawn"} (\d+)/.exec(await node.registry.metrics())?.[1];
      return Number(withdrawn) + nas.received.length === 40;
    },
    'the others are withdrawn',
    20_000,
  );
  await until(async () => {
    const sessions = await Promise.all(ids(40).map((id) => isp.session(id)));
    return sessions.every(({ acked, sent, cause }) => acked === fullSpeed || (sent === throttled && cause === ''));
  }, 'what was not sent is not taken for sent');
  t.ok(nas.received.length <= sent + 1, `${nas.received.length} of ${sent}`);
});

t.test('a clock that jumped makes no expiry foreseen', async (t) => {
  const { nas, isp } = await setup(t);
  const node = isp.node('a');
  await node.start();
  const paidUntilMs = isp.timer.nowMs() + 3600_000;
  for (const id of ids(60)) isp.subscribe(id, { paidUntilMs, paidUntilSetAtMs: paidUntilMs - 30 * 24 * 3600_000 });
  await Promise.all(ids(60).map((id) => isp.open(id)));
  await until(async () => (await Promise.all(ids(60).map(isp.session))).every(({ acked }) => acked), 'all are online');
  isp.state.offsetMs = 2 * 3600_000;
  await until(async () => (await listBrakes(isp.redis, tenantId))[0]?.pending === 60, 'the brake holds them', 10_000);
  t.equal(nas.received.length, 0);
  t.ok(node.alarms.includes('clock_jumped'));
});

t.test('a failure that repeats is counted each time and logged once a minute', async (t) => {
  let nowMs = 0;
  const registry = new Registry();
  const logged: string[] = [];
  const failed = createFailures({
    metrics: createEnforcementMetrics(registry),
    log: { warn: (_: object, message: string) => logged.push(message) },
    timer: { monotonicMs: () => nowMs },
  });
  for (let at = 0; at <= 60_000; at += 1000) {
    nowMs = at;
    failed('assess', new Error('away'), 'evaluation failed');
  }
  t.strictSame(logged, ['evaluation failed', 'evaluation failed']);
  t.match(await registry.metrics(), /enforcement_failures_total{step="assess"} 61/);
});

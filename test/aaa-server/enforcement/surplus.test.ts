// One session too many: the newest login wins, the oldest session ends; and a refused login makes the others prove that they are alive.
import t from 'tap';
import { outcomeHash } from '#aaa-server/accounting/class.ts';
import { confirmBrake, listBrakes } from '#policy/ledger/brake.ts';
import { createBrakeGate } from '#policy/ledger/brake-gate.ts';
import { createLedger } from '#policy/ledger/ledger.ts';
import type { AccountingRecord } from '#policy/ledger/types.ts';
import { usageWindows } from '#policy/time.ts';
import { recordOf } from '#test/aaa-server/accounting/records.ts';
import { redisForTest } from '#test/support/redis.ts';
import { until } from '#test/support/wait.ts';
import { createIsp, fullSpeed, tenantId } from './harness.ts';
import { scriptedNas } from './scripted-nas.ts';

const server = await redisForTest(t);
const asPlan = {
  ...{ ipv4PoolId: null, ipv6PoolId: null, delegatedPoolId: null, macLimit: null, macMode: null },
  sessionLimit: null as number | null,
};

async function setup(t: { teardown(handler: () => unknown): unknown }, sessionLimit: number) {
  const nas = await scriptedNas(t);
  const isp = await createIsp(t, nas.port, server);
  await isp.redis.flushdb();
  isp.subscribe(1, { network: { ...asPlan, sessionLimit } });
  const ledger = createLedger(isp.redis);
  const node = isp.node('a');
  await node.start();
  let calls = 0;
  async function start(sessionId: string, agoMs: number, change: Partial<AccountingRecord> = {}): Promise<void> {
    const eventAtMs = Date.now() - agoMs;
    const record = recordOf(1, {
      ...{ kind: 'start', sessionId, eventAtMs, receivedAtMs: eventAtMs, sessionTimeS: 0 },
      ...{
        classUuid: Buffer.from(sessionId).toString('hex').padStart(32, '0'),
        loginOutcomeHash: outcomeHash(fullSpeed),
      },
      ...change,
    });
    await ledger.apply({
      lane: { walId: `w${calls++}`, previous: 0, position: 1, generation: 1 },
      ...{ record, windows: usageWindows(eventAtMs, 'UTC', 1, 1), thresholds: [], planPeakBps: 20_000_000 },
      ...{ adoptedAtMs: null, meter: 'radius', meterSinceMs: null },
    });
    node.nudge([record.partition]);
  }
  const open = async () => (await isp.sessionsOf(1)).map(({ sessionId }) => sessionId).sort();
  const told = () => nas.received.map(({ kind, sessionId }) => `${kind} ${sessionId}`);
  return { nas, isp, node, start, open, told };
}

t.test('a login beyond the limit ends the oldest session, once', async (t) => {
  const { start, told, node } = await setup(t, 2);
  await start('first', 3000);
  await start('second', 2000);
  await start('third', 1000);
  await until(() => told().length > 0, 'the Disconnect', 10_000);
  await start('fourth', 500);
  await until(() => told().length > 1, 'the next Disconnect', 10_000);
  t.strictSame(told(), ['disconnect first', 'disconnect second']);
  t.match(await node.registry.metrics(), /lastmile_sessions_surplus_total 2/);
});

t.test(
  'a login beyond the limit in a window of maintenance ends the oldest session when the window is over',
  async (t) => {
    const { isp, start, told, node } = await setup(t, 1);
    const nowMs = Date.now();
    await start('first', 60_000);
    await until(async () => /cause="opened"} 1/.test(await node.registry.metrics()), 'the first is known', 10_000);
    isp.state.nas = { ...isp.state.nas, maintenance: [{ fromMs: nowMs - 30_000, untilMs: nowMs + 3600_000 }] };
    isp.state.nasGeneration++;
    await start('second', 1000);
    await until(async () => /cause="opened"} 2/.test(await node.registry.metrics()), 'the second is known', 10_000);
    await until(async () => (await isp.sessionsOf(1)).every(({ enforcement }) => enforcement.desired !== ''), 'seen');
    t.strictSame(told(), []);
    isp.state.offsetMs = 3600_000 + 1000;
    await until(() => told().length > 0, 'the Disconnect', 10_000);
    t.strictSame(told(), ['disconnect first']);
  },
);

t.test('what ends for the limit passes the brake, and goes on by the word of an operator', async (t) => {
  const { isp, node, told, start, open } = await setup(t, 1);
  // Somebody else's changes have used up what goes unseen.
  const others = Array.from({ length: 50 }, (_, n) => ({ subscriptionId: 1000 + n, reason: 'r', desired: 'd' }));
  await createBrakeGate(isp.redis).ask(tenantId, others, Date.now());
  await start('first', 3000);
  await until(async () => /cause="opened"} 1/.test(await node.registry.metrics()), 'the first is known', 10_000);
  await start('second', 0);
  const brake = await until(
    async () => {
      const [found] = await listBrakes(isp.redis, tenantId);
      return found?.state === 'held' && found.pending === 1 && found;
    },
    'the brake holds it',
    10_000,
  );
  t.match(brake.reasons, { 'disconnect:surplus': 1 });
  node.changed({ kind: 'tenant', tenantId, id: tenantId });
  await until(async () => /cause="sweep"} [1-9]/.test(await node.registry.metrics()), 'a sweep', 10_000);
  t.strictSame(told(), []);
  t.strictSame(await confirmBrake(isp.redis, tenantId, brake.id, 1), { ok: true, released: 1 });
  await until(() => told().length > 0, 'the Disconnect', 10_000);
  t.strictSame(told(), ['disconnect first']);
  t.strictSame(await open(), ['first', 'second'], 'its Stop has not come');
});

t.test('where a name stands for both, the old session is closed here and nobody is told', async (t) => {
  const { isp, node, start, told, open } = await setup(t, 1);
  isp.state.nas = {
    ...isp.state.nas,
    vendor: 'nokia',
    policies: [{ name: 'p', upName: null, upBps: 5e6, downBps: 20e6 }],
  };
  isp.state.nasGeneration++;
  const same = { nasPortId: '1/1/1', framedIp: '10.0.0.7' };
  await start('before', 60_000, same);
  await start('after', 2000, same);
  await until(async () => (await open()).join() === 'after', 'the old one is closed', 10_000);
  t.match(await node.registry.metrics(), /lastmile_sessions_surplus_total 1/);
  t.strictSame(told(), []);
  await start('elsewhere', 0, { ...same, nasPortId: '1/1/2' });
  await until(() => told().length > 0, 'a name of its own', 10_000);
  t.strictSame(told(), ['disconnect ']);
});

t.test('a session that its access server no longer has is closed at once', async (t) => {
  const { nas, start, open } = await setup(t, 1);
  nas.answer = () => 503;
  await start('dead', 60_000);
  await start('new', 0);
  await until(async () => (await open()).join() === 'new', 'the dead one is closed', 10_000);
  t.ok(nas.received.every(({ kind, sessionId }) => kind === 'disconnect' && sessionId === 'dead'));
});

t.test('sessions of one login, and any number without a limit, stay', async (t) => {
  const one = await setup(t, 1);
  await one.start('internet', 2000, { classUuid: 'a'.repeat(32) });
  await one.start('voice', 1000, { classUuid: 'a'.repeat(32) });
  await until(async () => /cause="opened"} 2/.test(await one.node.registry.metrics()), 'both were looked at', 10_000);
  t.strictSame(one.told(), []);
  await one.node.stop();
  const any = await setup(t, 0);
  await any.start('a', 2000);
  await any.start('b', 1000);
  await until(async () => /cause="opened"} 2/.test(await any.node.registry.metrics()), 'both were looked at', 10_000);
  t.strictSame(any.told(), []);
});

t.test('a probe tells a session what it has; an answer of 503 closes it, an ACK does not', async (t) => {
  const { nas, isp, node, start, open, told } = await setup(t, 1);
  await start('there', 1000);
  await until(async () => /cause="opened"} 1/.test(await node.registry.metrics()), 'it was looked at', 10_000);
  await until(async () => (await isp.sessionsOf(1))[0]?.enforcement.acked, 'and noted', 10_000);
  isp.state.offsetMs += 61_000;
  node.nudge([await isp.entry(1, 'probe')]);
  await until(() => told().length === 1, 'the question', 10_000);
  t.strictSame(told(), ['coa there']);
  t.strictSame(await open(), ['there']);
  nas.answer = () => 503;
  node.nudge([await isp.entry(1, 'probe')]);
  await until(async () => /cause="probe"} 2/.test(await node.registry.metrics()), 'asked for again', 10_000);
  t.strictSame(told(), ['coa there'], 'it was asked within this minute');
  isp.state.offsetMs += 61_000;
  node.nudge([await isp.entry(1, 'probe')]);
  await until(async () => (await open()).length === 0, 'it is closed', 10_000);
});

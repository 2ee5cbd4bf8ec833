// Within a window of maintenance nothing is sent to an access server; what was due is sent when it ends, by the clock or by an operator.
import t from 'tap';
import { keys, partitionOf } from '#policy/ledger/keys.ts';
import { redisForTest } from '#test/support/redis.ts';
import { until } from '#test/support/wait.ts';
import { createIsp, tenantId, throttled } from './harness.ts';
import { scriptedNas } from './scripted-nas.ts';

const server = await redisForTest(t);
const hour = 3600_000;

async function setup(t: { teardown(handler: () => unknown): unknown }) {
  const nas = await scriptedNas(t);
  const isp = await createIsp(t, nas.port, server);
  await isp.redis.flushdb();
  /** From `fromMs` to `untilMs` from now on. */
  const maintain = (fromMs: number, untilMs: number) => {
    const nowMs = isp.timer.nowMs();
    isp.state.nas = { ...isp.state.nas, maintenance: [{ fromMs: nowMs + fromMs, untilMs: nowMs + untilMs }] };
    isp.state.nasGeneration++;
  };
  return { nas, isp, maintain };
}

t.test('a throttle that falls due in the window waits and is sent when the window ends', async (t) => {
  const { nas, isp, maintain } = await setup(t);
  maintain(-hour, hour);
  const node = isp.node('a');
  await node.start();
  await isp.open(1);
  node.nudge([await isp.cross(1)]);
  await until(async () => (await isp.session(1)).desired === throttled, 'it is known what is due');
  t.match(await isp.lastProfile(1), /2000000/, 'logins get the lower speed already');
  t.equal((await isp.session(1)).sent, '');
  const scheduled = Number(await isp.redis.zscore(keys.wheel(partitionOf(tenantId, 1)), `${tenantId}:1`));
  t.ok(Math.abs(scheduled - (isp.timer.nowMs() + hour)) < 60_000, 'it stands in the wheel for the end of the window');
  t.equal(nas.received.length, 0);

  isp.state.offsetMs = hour + 1000;
  await until(async () => (await isp.session(1)).acked === throttled, 'the wheel sends it, with nobody else awake');
  t.equal(nas.received.length, 1);
  t.equal(nas.received[0]?.rate, '2M/2M');
});

t.test('an operator who ends the window early has everything sent at once', async (t) => {
  const { nas, isp, maintain } = await setup(t);
  maintain(-hour, hour);
  const node = isp.node('a');
  await node.start();
  await isp.open(1);
  node.nudge([await isp.cross(1)]);
  await until(async () => (await isp.session(1)).desired === throttled, 'it is known what is due');
  t.equal(nas.received.length, 0);
  maintain(-hour, 0);
  node.changed({ kind: 'nas', tenantId, id: 1 });
  await until(async () => (await isp.session(1)).acked === throttled, 'the throttle');
});

t.test('a node that is killed in the window loses nothing of what waits', async (t) => {
  const { nas, isp, maintain } = await setup(t);
  maintain(-hour, hour);
  const dying = isp.connect();
  const first = isp.node('a', { redis: dying });
  await first.start();
  await isp.open(1);
  first.nudge([await isp.cross(1)]);
  await until(async () => (await isp.session(1)).desired === throttled, 'it is known what is due');
  await until(() => isp.redis.zscore(keys.wheel(partitionOf(tenantId, 1)), `${tenantId}:1`), 'and when');
  // As if its process had gone: it says nothing to Redis any more, not even that it leaves.
  dying.disconnect();
  isp.state.offsetMs = hour + 1000;
  const second = isp.node('b');
  await second.start();
  await until(async () => (await isp.session(1)).acked === throttled, 'another node sends it', 20_000);
  t.equal(nas.received.length, 1);
});

t.test('what is under way when the window begins is not repeated, and comes again after it', async (t) => {
  const { nas, isp, maintain } = await setup(t);
  nas.answer = () => null;
  const node = isp.node('a');
  await node.start();
  await isp.open(1);
  node.nudge([await isp.cross(1)]);
  await until(() => nas.received.length === 1, 'the first try');
  maintain(-1000, hour);
  await until(async () => (await isp.session(1)).cause === 'timeout', 'it is given up', 20_000);
  t.equal(nas.received.length, 1, 'without another word');
  nas.answer = () => 'ack';
  isp.state.offsetMs = hour + 1000;
  node.changed({ kind: 'nas', tenantId, id: 1 });
  await until(async () => (await isp.session(1)).acked === throttled, 'it is sent', 20_000);
});

t.test('what waits for its turn when the window begins is not taken for sent, and comes after it', async (t) => {
  const { nas, isp, maintain } = await setup(t);
  isp.state.nas = { ...isp.state.nas, coaRatePerS: 1 };
  const node = isp.node('a');
  await node.start();
  const ids = [1, 2, 3, 4];
  for (const id of ids) await isp.open(id);
  node.nudge(await Promise.all(ids.map((id) => isp.cross(id))));
  for (const id of ids) await until(async () => (await isp.session(id)).sent === throttled, `s${id} is on its way`);
  maintain(-1000, hour);
  const told = () => new Set(nas.received.map(({ sessionId }) => sessionId));
  await until(
    async () => {
      const withdrawn = /result="withdrawn"} (\d+)/.exec(await node.registry.metrics())?.[1];
      return Number(withdrawn ?? 0) + told().size === ids.length;
    },
    'they are withdrawn',
    20_000,
  );
  const waiting = ids.filter((id) => !told().has(`s${id}`));
  t.ok(waiting.length > 0);
  for (const id of waiting) await until(async () => (await isp.session(id)).sent === '', `s${id} counts as not sent`);
  maintain(-hour, 0);
  node.changed({ kind: 'nas', tenantId, id: 1 });
  for (const id of ids)
    await until(async () => (await isp.session(id)).acked === throttled, `s${id} is throttled`, 20_000);
});

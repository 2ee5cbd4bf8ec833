// The brake on many stricter changes at once, and the sweep that mends and counts.
import fc from 'fast-check';
import t from 'tap';
import type { Enforcement } from '#aaa-server/enforcement/enforcement.ts';
import { parseOutcome } from '#policy/access/outcome.ts';
import { brakeLimit, isForecast, isStricter } from '#policy/enforcement/brake-rule.ts';
import { cancelBrake, confirmBrake, listBrakes } from '#policy/ledger/brake.ts';
import { createBrakeGate } from '#policy/ledger/brake-gate.ts';
import { keys } from '#policy/ledger/keys.ts';
import { redisForTest } from '#test/support/redis.ts';
import { until } from '#test/support/wait.ts';
import { createIsp, fullSpeed, type Isp, tenantId, throttled } from './harness.ts';
import { scriptedNas } from './scripted-nas.ts';

const server = await redisForTest(t);

async function setup(t: { teardown(handler: () => unknown): unknown }) {
  const nas = await scriptedNas(t);
  const isp = await createIsp(t, nas.port, server);
  await isp.redis.flushdb();
  return { nas, isp };
}

const ids = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

/** `count` subscribers online with what their login answered. */
async function online(isp: Isp, count: number): Promise<void> {
  await Promise.all(ids(count).map((id) => isp.open(id)));
  await until(
    async () => (await Promise.all(ids(count).map((id) => isp.session(id)))).every(({ acked }) => acked === fullSpeed),
    'all are online',
  );
}

function block(isp: Isp, node: Pick<Enforcement, 'changed'>, subscribers: readonly number[]): void {
  for (const id of subscribers) {
    isp.subscribe(id, { customerStatus: 'blocked' });
    node.changed({ kind: 'subscription', tenantId, id });
  }
}

async function held(isp: Isp, pending: number) {
  return until(async () => {
    const [first] = await listBrakes(isp.redis, tenantId);
    return first?.state === 'held' && first.pending === pending && first;
  }, `the brake holds ${pending}`);
}

t.test('60 subscribers blocked at once are held, shown, and released by their exact count', async (t) => {
  const { nas, isp } = await setup(t);
  const node = isp.node('a');
  await node.start();
  await online(isp, 60);
  block(isp, node, ids(60));
  const brake = await held(isp, 60);
  t.match(brake, { tenantId, limit: 50, reasons: { 'reject:customer_blocked': 60 } });
  t.equal(nas.received.length, 0, 'nobody is disconnected');
  await until(async () => (await isp.lastProfile(7)).includes(fullSpeed), 'logins answer what was applied last');
  t.strictSame(node.alarms, ['brake']);
  // What is held is looked at again, and counts again then.
  const heldChanges = async () =>
    Number(/brake_held_changes_total{tenant="1"} (\d+)/.exec(await node.registry.metrics())?.[1]);
  await until(async () => (await heldChanges()) >= 60, 'the metric shows what is held');

  t.strictSame(await confirmBrake(isp.redis, tenantId, brake.id, 59), {
    ok: false,
    reason: 'count_differs',
    pending: 60,
  });
  t.strictSame(await confirmBrake(isp.redis, tenantId, brake.id + 1, 60), { ok: false, reason: 'unknown' });
  t.equal(nas.received.length, 0);

  t.strictSame(await confirmBrake(isp.redis, tenantId, brake.id, 60), { ok: true, released: 60 });
  await until(() => nas.received.length === 60, 'all 60 are told', 10_000);
  t.ok(nas.received.every(({ kind }) => kind === 'disconnect'));
  t.equal(new Set(nas.received.map(({ sessionId }) => sessionId)).size, 60);
  t.match(await listBrakes(isp.redis, tenantId), [{ id: brake.id, state: 'confirmed', pending: 60 }]);
});

t.test('50 at once go through; the 51st within ten minutes is held', async (t) => {
  const { nas, isp } = await setup(t);
  const node = isp.node('a');
  await node.start();
  await online(isp, 51);
  block(isp, node, ids(50));
  await until(
    () => nas.received.length === 50,
    () => `50 are told, not ${nas.received.length}`,
  );
  t.strictSame(await listBrakes(isp.redis, tenantId), []);
  block(isp, node, [51]);
  await held(isp, 1);
  t.equal(nas.received.length, 50);
});

t.test('the brake survives a restart, and what returns to normal leaves it', async (t) => {
  const { nas, isp } = await setup(t);
  const before = isp.node('a');
  await before.start();
  await online(isp, 60);
  block(isp, before, ids(60));
  await held(isp, 60);
  await before.stop();

  const after = isp.node('a');
  await after.start();
  await until(
    async () => /cause="sweep"} (6|12)0/.test(await after.registry.metrics()),
    'a restarted node looks at everything',
  );
  await held(isp, 60);
  t.equal(nas.received.length, 0);

  for (const id of ids(20)) {
    isp.subscribe(id, { customerStatus: 'active' });
    after.changed({ kind: 'subscription', tenantId, id });
  }
  const brake = await held(isp, 40);
  await until(async () => !(await isp.lastProfile(1)).includes(fullSpeed), 'its logins are no longer held');
  t.strictSame(await confirmBrake(isp.redis, tenantId, brake.id, 40), { ok: true, released: 40 });
  await until(() => nas.received.length === 40, 'the other 40 are told');
});

t.test('a cancelled brake leaves everybody as they are until their state changes again', async (t) => {
  const { nas, isp } = await setup(t);
  const node = isp.node('a');
  await node.start();
  await online(isp, 60);
  block(isp, node, ids(60));
  const { id } = await held(isp, 60);
  t.strictSame(await cancelBrake(isp.redis, tenantId, id), { ok: true, released: 60 });
  node.changed({ kind: 'tenant', tenantId, id: tenantId });
  await until(async () => /cause="sweep"} (6\d|[7-9]\d|1\d\d)/.test(await node.registry.metrics()), 'a sweep over all');
  t.equal(nas.received.length, 0);
  t.match(await listBrakes(isp.redis, tenantId), [{ id, state: 'cancelled' }]);

  isp.subscribe(5, { customerStatus: 'active', status: 'disabled' });
  node.changed({ kind: 'subscription', tenantId, id: 5 });
  await until(() => nas.received.length === 1, 'a new reason is a new change');
  t.equal(nas.received[0]!.sessionId, 's5');
});

t.test('expiries that stood for a day are forecast: 60 of them go through', async (t) => {
  const { nas, isp } = await setup(t);
  const node = isp.node('a');
  await node.start();
  await online(isp, 60);
  const paidUntilMs = isp.timer.nowMs() + 500;
  for (const id of ids(60)) {
    isp.subscribe(id, { paidUntilMs, paidUntilSetAtMs: paidUntilMs - 25 * 3600_000 });
    node.changed({ kind: 'subscription', tenantId, id });
  }
  await until(() => nas.received.length === 60, 'all are told', 10_000);
  t.strictSame(await listBrakes(isp.redis, tenantId), []);
});

t.test('more service is never braked, whatever the number', async (t) => {
  const { nas, isp } = await setup(t);
  const node = isp.node('a');
  await node.start();
  await Promise.all(ids(60).map((id) => isp.open(id, '', { desired: throttled, sent: throttled, acked: throttled })));
  await until(() => nas.received.length === 60, 'all get their speed back', 10_000);
  t.ok(nas.received.every(({ rate }) => rate === '5M/20M'));
  t.strictSame(await listBrakes(isp.redis, tenantId), []);
});

t.test('the sweep counts who is online, mends what events missed, and judges the whole pass at once', async (t) => {
  const { nas, isp } = await setup(t);
  await isp.open(1);
  await isp.cross(1);
  for (const id of ids(64)) await isp.redis.del(keys.enforce(id - 1), keys.opened(id - 1));
  await isp.node('a').start();
  await until(async () => (await isp.session(1)).acked === throttled, 'a missed crossing is found');
  t.equal(await createBrakeGate(isp.redis).online(tenantId), 1);
  t.equal(nas.received.length, 1);
});

t.test('what 60 missed events would do is held by the first sweep', async (t) => {
  const { nas, isp } = await setup(t);
  for (const id of ids(60)) {
    await isp.open(id, '', { desired: fullSpeed, sent: fullSpeed, acked: fullSpeed });
    isp.subscribe(id, { customerStatus: 'blocked' });
  }
  for (const id of ids(64)) await isp.redis.del(keys.enforce(id - 1), keys.opened(id - 1));
  await isp.node('a').start();
  const brake = await held(isp, 60);
  t.equal(brake.online, 60);
  t.equal(nas.received.length, 0);
});

t.test('the limit is 50 or 3 per cent of those online, whichever is more', (t) => {
  t.strictSame([0, 100, 1666, 1700, 100_000].map(brakeLimit), [50, 50, 50, 51, 3000]);
  t.end();
});

t.test('a sequence of questions lets through no more than the limit', async (t) => {
  const { isp } = await setup(t);
  const gate = createBrakeGate(isp.redis);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uniqueArray(fc.integer({ min: 1, max: 120 }), { maxLength: 70 }), { maxLength: 6 }),
      async (batches) => {
        await isp.redis.flushdb();
        const gone = new Set<number>();
        for (const [index, batch] of batches.entries()) {
          const changes = batch.map((subscriptionId) => ({
            subscriptionId,
            reason: 'reject:expired',
            desired: 'reject:expired',
          }));
          const { verdicts } = await gate.ask(tenantId, changes, 1000 + index);
          if (verdicts.length !== batch.length) return false;
          for (const [at, id] of batch.entries()) if (verdicts[at] === 'go') gone.add(id);
        }
        const [brake] = await listBrakes(isp.redis, tenantId);
        const waiting = brake?.pending ?? 0;
        return gone.size <= 50 && gone.size + waiting === new Set(batches.flat()).size;
      },
    ),
    { numRuns: 40 },
  );
});

t.test('a batch larger than one call is judged as a whole', async (t) => {
  const { isp } = await setup(t);
  const gate = createBrakeGate(isp.redis);
  await gate.countOnline(tenantId, 0, 40_000);
  const changes = (count: number) =>
    ids(count).map((subscriptionId) => ({ subscriptionId, reason: 'r', desired: 'd' }));
  t.ok((await gate.ask(tenantId, changes(1201), 0)).opened);
  t.match(await listBrakes(isp.redis, tenantId), [{ pending: 1201, limit: 1200, online: 40_000 }]);
  await isp.redis.flushdb();
  await gate.countOnline(tenantId, 0, 40_000);
  t.ok((await gate.ask(tenantId, changes(1200), 0)).verdicts.every((verdict) => verdict === 'go'));
  t.equal(
    (await gate.ask(tenantId, [{ subscriptionId: 5000, reason: 'r', desired: 'd' }], 599_999)).opened?.limit,
    1200,
  );
  t.ok((await gate.ask(tenantId, changes(1), 600_001)).verdicts[0] === 'held', 'while it holds, everything new waits');
});

t.test('what counts as stricter, and which expiry was foreseen', (t) => {
  const order = [
    'accept:5000000/20000000',
    'throttle:2000000/2000000:fup',
    'walled_garden:expired',
    'reject:expired',
  ].map((text) => parseOutcome(text)!);
  for (const [i, a] of order.entries()) for (const [j, b] of order.entries()) t.equal(isStricter(a, b), j > i);
  const [accept, , , expired] = order;
  const faster = parseOutcome('accept:9000000/10000000')!;
  t.ok(isStricter(accept!, faster), 'a lower speed in one direction is stricter');

  const now = 1_000_000_000_000;
  const day = 86_400_000;
  const forecast = (paidUntilMs: number, setAtMs: number, graceMs = 0) =>
    isForecast(expired!, { paidUntilMs, paidUntilSetAtMs: setAtMs, graceMs }, now);
  t.ok(forecast(now, now - day));
  t.notOk(forecast(now, now - day + 1), 'set less than a day ahead');
  t.notOk(forecast(now - 30 * day, now), 'set into the past by mistake');
  t.notOk(forecast(now - 3 * day, now - 40 * day), 'due long ago: a grace was cut or a clock jumped');
  t.ok(forecast(now - 3 * day, now - 40 * day, 3 * day), 'the grace ends now');
  t.notOk(isForecast(order[1]!, { paidUntilMs: now, paidUntilSetAtMs: 0, graceMs: 0 }, now));
  t.end();
});

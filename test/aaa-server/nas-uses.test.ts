// Which secret an access server used lately: counted by the handler, taken over a span, published in Redis, summed over nodes.
import t from 'tap';
import { createNasActivities, mergeNasActivities, type NasActivity } from '#aaa-server/radius/nas-activity.ts';
import { createLately, createNasUses } from '#aaa-server/radius/nas-uses.ts';
import { attribute } from '#aaa-server/wire/attributes.ts';
import { createPacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { code } from '#aaa-server/wire/packet.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { type NasUse, publishNasUses, readNasEdge, writeLearned } from '#ops/stores/nas-edge.ts';
import { connectRedis } from '#ops/stores/redis.ts';
import { missing } from '#test/support/peers.ts';
import { redisForTest } from '#test/support/redis.ts';
import { until } from '#test/support/wait.ts';
import { createDriven, eap, pap } from './support/driven.ts';
import { nasOf } from './support/isp.ts';

const next = createSecret(Buffer.from('the next one'));
const skip = missing('redis-server');

function accounting(by: typeof next): Buffer {
  const builder = createPacketBuilder();
  builder.begin(code.accountingRequest, 9);
  builder.add(attribute.acctStatusType, 1);
  builder.add(attribute.acctSessionId, 'session-1');
  builder.finishRequest(by);
  return Buffer.from(builder.data.subarray(0, builder.length()));
}

t.test('requests are counted by the secret that made them, from zero when the secrets change', async (t) => {
  const driven = createDriven();
  const rotating = ['testing123', 'the next one'];
  driven.isp.setNases([nasOf({ secrets: rotating })]);
  driven.nowMs += 1000;
  const activity = () => driven.handler.nasActivities()[0]!;
  driven.receive(accounting(next), 'acct');
  driven.receive(pap({ messageAuthenticator: true, secret: next }));
  t.match(activity(), { current: 0, currentAtMs: 0, next: 2, nextAtMs: driven.wallMs, proven: 1, unproven: 0 });
  driven.receive(pap());
  t.match(activity(), { current: 1, next: 2, proven: 1, unproven: 1 }, 'a password that is right shows the secret');
  driven.receive(pap({ secret: next }));
  driven.receive(pap({ secret: next }, 'looking-glass'));
  t.match(activity(), { current: 1, next: 3, unproven: 3 }, 'a wrong one shows nothing');
  driven.receive(eap({ messageAuthenticator: true }));
  t.match(activity(), { current: 2, proven: 2 });
  driven.isp.setNases([nasOf({ secrets: ['the next one'] })]);
  driven.nowMs += 1000;
  driven.receive(pap({ messageAuthenticator: true, secret: next }));
  t.match(activity(), { current: 1, next: 0, nextAtMs: 0, proven: 3 }, 'the rotation was finished');
  await driven.handler.drain();
});

const activityOf = (change: Partial<NasActivity>): NasActivity => ({ ...createNasActivities().of(1), ...change });

t.test('what came lately is what came in the last quarter of an hour', async (t) => {
  const lately = createLately(0);
  const minute = 60_000;
  const at = (minutes: number, current: number, later = 0) =>
    lately([activityOf({ current, next: later, lastHeardAtMs: minutes * minute })], minutes * minute)[0];
  t.match(at(1, 10), { current: 10, next: 0, sinceMs: 0, heardAtMs: minute });
  for (let i = 2; i <= 14; i++) at(i, 10, i);
  t.match(at(15, 10, 15), { current: 10, next: 15, sinceMs: 0 });
  for (let i = 16; i <= 40; i++) at(i, 10, i);
  t.match(at(41, 10, 41), { current: 0, next: 15, sinceMs: 26 * minute }, 'the old secret is not used any more');
  t.match(at(42, 3, 0), { current: 3, next: 0 }, 'counted from zero after the change');
});

t.test('the activities of several workers are one', async (t) => {
  const merged = mergeNasActivities([
    [activityOf({ current: 1, next: 2, lastHeardAtMs: 5 })],
    [activityOf({ current: 3, unproven: 4, lastHeardAtMs: 4 })],
  ]);
  t.match(merged.get(1), { current: 4, next: 2, unproven: 4, lastHeardAtMs: 5 });
});

for (const cluster of [false, true]) {
  t.test(`nodes publish, readers see the sum${cluster ? ', in a cluster' : ''}`, { skip }, async (t) => {
    const server = await redisForTest(t, { cluster });
    const redis = await connectRedis({ url: server.url, name: 'test' });
    t.teardown(() => redis.disconnect());
    const use = (nasId: number, change: Partial<NasUse>): NasUse => ({
      nasId,
      heardAtMs: 1,
      sinceMs: 1,
      current: 0,
      next: 0,
      proven: 0,
      unproven: 0,
      ...change,
    });
    t.equal((await readNasEdge(redis, [1])).uses.size, 0);
    t.equal((await readNasEdge(redis, [])).uses.size, 0);
    await publishNasUses(redis, 'a', [use(1, { current: 3, heardAtMs: 9 }), use(2, {})], 10_000);
    await publishNasUses(redis, 'b', [use(1, { next: 4, sinceMs: 0 })], 10_000);
    await writeLearned(redis, [{ nasId: 1, messageAuthenticator: { value: 'yes', atMs: 7 }, limitProxyState: null }]);
    const { uses, learned } = await readNasEdge(redis, [1, 3]);
    t.strictSame([...uses.values()], [use(1, { current: 3, next: 4, heardAtMs: 9, sinceMs: 0 })]);
    t.strictSame(
      [...learned.values()],
      [{ nasId: 1, messageAuthenticator: { value: 'yes', atMs: 7 }, limitProxyState: null }],
    );
    await publishNasUses(redis, 'b', [], 20_000);
    t.match((await readNasEdge(redis, [1])).uses.get(1), { current: 3, next: 0 });
    await publishNasUses(redis, 'b', [], 2_000_000);
    t.equal((await readNasEdge(redis, [1])).uses.size, 0, 'a node that is silent for long is forgotten');

    const part = createNasUses({
      redis: () => redis,
      node: 'c',
      activities: async () => [
        activityOf({ current: 5, currentAtMs: 7, nextAtMs: 8 }),
        { ...activityOf({ currentAtMs: 9, nextAtMs: 8 }), nasId: 2 },
      ],
      nowMs: () => 2_000_001,
      log: createLogger('test', 'silent'),
      everyMs: 5,
    });
    await part.start();
    await until(async () => (await readNasEdge(redis, [1])).uses.get(1)?.current === 5, 'what the part published');
    t.strictSame([1, 2, 3].map(part.usesNext), [true, false, false], 'who was last heard with the next secret');
    await part.stop();
  });
}

// The addresses of sessions from the ledger's streams to the index: live, over restarts, after trimmed streams.
import path from 'node:path';
import t, { type Test } from 'tap';
import { type AddressInterval, createAddressIndex } from '#flow-collector/attribution/address-index.ts';
import { openAddressStore, readIntervals } from '#flow-collector/attribution/address-store.ts';
import { createFollower, type Follower } from '#flow-collector/attribution/follower.ts';
import { intervalsOf } from '#flow-collector/attribution/holdings.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { connectRedis, type RedisClient } from '#ops/stores/redis.ts';
import type { AddressEvent } from '#policy/ledger/addresses.ts';
import { keys, partitionOf } from '#policy/ledger/keys.ts';
import { createLedger, type Ledger } from '#policy/ledger/ledger.ts';
import type { AccountingRecord } from '#policy/ledger/types.ts';
import { missing } from '#test/support/peers.ts';
import { redisForTest } from '#test/support/redis.ts';
import { until } from '#test/support/wait.ts';
import { plainCalls, recordOf } from '../aaa-server/accounting/records.ts';

const silent = createLogger('test', 'silent');
const open = Number.POSITIVE_INFINITY;
const startMs = Date.now() - 3_600_000;
const second = 1000;

const event = (given: Partial<AddressEvent>): AddressEvent => ({
  tenantId: 1,
  subscriptionId: 7,
  sessionKey: 'ses:{p01}:1:1:a',
  incarnation: 1,
  framedIp: '10.0.0.1',
  framedIpv6Prefix: '',
  delegatedIpv6Prefix: '',
  fromMs: 100,
  toMs: null,
  ...given,
});
const brief = (intervals: readonly AddressInterval[]) =>
  intervals.map(
    ({ words, length, fromMs, toMs }) =>
      `${words.map((word) => word.toString(16)).join(':')}/${length} ${fromMs}–${toMs}`,
  );

t.test('an event is the intervals of its addresses, and the end of those it replaces', async (t) => {
  const first = event({ framedIpv6Prefix: '2001:db8::/64', delegatedIpv6Prefix: '2001:db8:100::/56' });
  t.strictSame(brief(intervalsOf(first, undefined, 1)), [
    'a000001/32 100–Infinity',
    '20010db8:0:0:0/64 100–Infinity',
    '20010db8:1000000:0:0/56 100–Infinity',
  ]);
  const moved = intervalsOf(event({ framedIp: '10.0.0.2', fromMs: 500 }), event({}), 1);
  t.strictSame(brief(moved), ['a000001/32 100–500', 'a000002/32 500–Infinity']);
  const ended = intervalsOf(event({ toMs: 900 }), event({}), 1);
  t.strictSame(brief(ended), ['a000001/32 100–900']);
  const again = intervalsOf(event({ fromMs: 900 }), event({ toMs: 900 }), 1);
  t.strictSame(brief(again), ['a000001/32 100–900', 'a000001/32 900–Infinity']);
  const earlier = intervalsOf(event({ fromMs: 50 }), event({}), 1);
  t.strictSame(brief(earlier), ['a000001/32 100–100', 'a000001/32 50–Infinity'], 'it began earlier than it was said');
  t.strictSame(intervalsOf(event({ framedIp: 'nonsense' }), undefined, 1), []);
});

const skip = missing('redis-server');

type Isp = {
  readonly redis: RedisClient;
  readonly ledger: Ledger;
  apply(id: number, change: Partial<AccountingRecord>): Promise<void>;
};

async function isp(t: Test): Promise<Isp> {
  const server = await redisForTest(t);
  const redis = await connectRedis({ url: server.url, name: 'test' });
  t.teardown(() => redis.disconnect());
  const ledger = createLedger(redis);
  await ledger.load();
  const last = new Map<number, number>();
  let position = 0;
  return {
    redis,
    ledger,
    async apply(id, change) {
      const record = recordOf(id, {
        framedIp: `10.0.0.${id}`,
        framedIpv6Prefix: '',
        eventAtMs: startMs,
        receivedAtMs: Date.now(),
        ...change,
      });
      const previous = last.get(record.partition) ?? 0;
      last.set(record.partition, ++position);
      const lane = { walId: 'test', previous, position, generation: 1 };
      t.match(await ledger.apply(plainCalls.make(lane, record)), { kind: 'applied' });
    },
  };
}

type Following = {
  readonly follower: Follower;
  holder(address: number, atMs: number): number;
  readonly changes: AddressInterval[];
};

async function follow(t: Test, redis: RedisClient, file: string): Promise<Following> {
  const index = createAddressIndex();
  const changes: AddressInterval[] = [];
  const store = openAddressStore(file);
  await readIntervals(file, index.put);
  const follower = createFollower({
    redis,
    store,
    log: silent,
    readEveryMs: 10,
    onChange(intervals) {
      changes.push(...intervals);
      intervals.forEach(index.put);
    },
  });
  await follower.start();
  t.teardown(() => follower.stop());
  const holder = (address: number, atMs: number) => {
    const found = index.find4(index.tenant(1), address, atMs);
    return found < 0 ? 0 : index.subscriptionId(found);
  };
  return { follower, holder, changes };
}

const address = (id: number) => 0x0a000000 + id;

t.test('sessions are followed: their addresses, changes of them, and their ends', { skip }, async (t) => {
  const { redis, apply } = await isp(t);
  const { follower, holder } = await follow(t, redis, path.join(t.testdir(), 'addresses.mdb'));
  await until(() => follower.trouble() === null, 'every stream was read', 20_000);
  await apply(1, { kind: 'start', sessionTimeS: 0 });
  await until(() => holder(address(1), startMs) === 1, 'the session', 20_000);
  await apply(1, { framedIp: '10.0.0.99', eventAtMs: startMs + 60 * second, sessionTimeS: 60 });
  await until(() => holder(address(99), startMs + 61 * second) === 1, 'its new address', 20_000);
  t.equal(holder(address(1), startMs + 30 * second), 1, 'the old one was its own before');
  t.equal(holder(address(1), startMs + 100 * second), 0);
  await apply(1, { kind: 'stop', framedIp: '10.0.0.99', eventAtMs: startMs + 300 * second, sessionTimeS: 300 });
  await until(() => holder(address(99), startMs + 400 * second) === 0, 'its end', 20_000);
  t.equal(holder(address(99), startMs + 200 * second), 1, 'and it is remembered');
});

t.test('a restart goes on where it was; without Redis what was known is there', { skip }, async (t) => {
  const { redis, apply } = await isp(t);
  const file = path.join(t.testdir(), 'addresses.mdb');
  const before = await follow(t, redis, file);
  for (let id = 1; id <= 20; id++) await apply(id, { kind: 'start', sessionTimeS: 0 });
  await until(() => before.holder(address(20), startMs) === 20, 'all sessions', 20_000);
  await before.follower.stop();
  await apply(1, { kind: 'stop', eventAtMs: startMs + 60 * second, sessionTimeS: 60 });
  await apply(21, { kind: 'start', sessionTimeS: 0 });

  const known = createAddressIndex();
  await readIntervals(file, known.put);
  t.equal(known.size(), 20, 'a worker that starts reads them from disk');

  const after = await follow(t, redis, file);
  t.equal(after.holder(address(7), startMs), 7, 'known at once');
  await until(() => after.holder(address(21), startMs) === 21, 'what came meanwhile', 20_000);
  await until(() => after.holder(address(1), startMs + 120 * second) === 0, 'and what ended', 20_000);
  t.equal(after.changes.length, 2, 'nothing was read again');
});

t.test('after a gap the sessions themselves are read: those that are gone end', { skip }, async (t) => {
  const { redis, apply } = await isp(t);
  const file = path.join(t.testdir(), 'addresses.mdb');
  const before = await follow(t, redis, file);
  for (let id = 1; id <= 8; id++) await apply(id, { kind: 'start', sessionTimeS: 0 });
  await until(() => before.holder(address(8), startMs) === 8, 'all sessions', 20_000);
  await before.follower.stop();
  await apply(1, { kind: 'stop', eventAtMs: startMs + 60 * second, sessionTimeS: 60 });
  for (let id = 1; id <= 8; id++) await redis.xtrim(keys.addresses(partitionOf(1, id)), 'MAXLEN', 0);
  const beside = [...Array(250).keys()].find((id) => id > 8 && partitionOf(1, id) === partitionOf(1, 1))!;
  await apply(beside, { kind: 'start', sessionTimeS: 0 });

  const after = await follow(t, redis, file);
  await until(() => after.follower.trouble() === null, 'every stream was read', 20_000);
  t.equal(after.holder(address(beside), startMs), beside, 'the new one, from its session');
  t.equal(after.holder(address(5), Date.now()), 5);
  t.equal(after.holder(address(1), Date.now() + 60_000), 0, 'the one that is gone has ended');
  t.equal(after.holder(address(1), startMs), 1, 'nobody knows when: until now');
});

t.test('a first start on a ledger whose streams were trimmed reads the sessions', { skip }, async (t) => {
  const { redis, apply } = await isp(t);
  for (let id = 1; id <= 5; id++) await apply(id, { kind: 'start', sessionTimeS: 0 });
  for (let id = 1; id <= 5; id++) await redis.xtrim(keys.addresses(partitionOf(1, id)), 'MAXLEN', 0);
  await apply(6, { kind: 'start', sessionTimeS: 0 });
  const { follower, holder } = await follow(t, redis, path.join(t.testdir(), 'addresses.mdb'));
  await until(() => follower.trouble() === null, 'every stream was read', 20_000);
  for (let id = 1; id <= 6; id++) t.equal(holder(address(id), Date.now()), id);
});

t.test('while Redis is away what is known stays, and it goes on by itself', { skip }, async (t) => {
  const server = await redisForTest(t);
  const redis = await connectRedis({ url: server.url, name: 'test', onProblem: () => {} });
  t.teardown(() => redis.disconnect());
  const { follower } = await follow(t, redis, path.join(t.testdir(), 'addresses.mdb'));
  await until(() => follower.trouble() === null, 'every stream was read', 20_000);
  await server.kill9();
  await until(() => follower.trouble() !== null, 'it says so', 20_000);
  await server.start();
  await until(() => follower.trouble() === null, 'it goes on', 20_000);
  t.pass('it does');
});

t.test('what ended more than two hours ago leaves the disk', async (t) => {
  const file = path.join(t.testdir(), 'addresses.mdb');
  const store = openAddressStore(file);
  const events = [
    event({ sessionKey: 'a', toMs: 1000 }),
    event({ sessionKey: 'b', toMs: 9000 }),
    event({ sessionKey: 'c', framedIpv6Prefix: '2001:db8::/64' }),
  ];
  await store.take(3, events, '5-0');
  t.equal(store.position(3), '5-0');
  t.strictSame(store.open(3), [events[2]]);
  t.strictSame(store.open(4), []);
  await store.expire(5000);
  await store.close();
  const left: AddressInterval[] = [];
  await readIntervals(file, (interval) => left.push(interval));
  t.strictSame(left.map(({ toMs }) => toMs).sort(), [9000, open, open]);
});

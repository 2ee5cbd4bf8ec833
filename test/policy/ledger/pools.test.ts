// Pools of addresses in Redis: nobody is ever given what another one has, whatever the store forgets; on a single server and in a cluster.
import { cp, rm } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { keys, partitionOf } from '#policy/ledger/keys.ts';
import { loadLibrary } from '#policy/ledger/library.ts';
import { createLoginLedger, type LoginAsk, type SeenSequences } from '#policy/ledger/login.ts';
import { createPoolLedger, listLeases, readLease, readPoolUse } from '#policy/ledger/pools.ts';
import type { Pool } from '#policy/network/pool.ts';
import { isLong, runs } from '#test/support/effort.ts';
import { until } from '#test/support/wait.ts';
import { type Store, storeForTest } from './ledger-under-test.ts';
import { coolDownMs, createPoolModel, holdMs, poolOf, type Subscriber, unitOf } from './pool-model.ts';

t.setTimeout(isLong ? 3_600_000 : 120_000);
const noon = Date.UTC(2026, 2, 4, 12);
const minute = 60_000;

for (const cluster of [false, true]) {
  t.test(cluster ? 'in a cluster of three primaries' : 'on a single server', async (t) => {
    t.setTimeout(isLong ? 1_800_000 : 90_000);
    const store = await storeForTest(t, { cluster });
    for (const [title, rule] of Object.entries(rules)) {
      await t.test(title, async (t) => rule(t, await poolsOn(store)));
    }
    await t.test('in any history no address is with two, and nobody is refused while one is free', async (t) => {
      t.setTimeout(isLong ? 900_000 : 60_000);
      const property = fc.asyncProperty(steps, async (drawn) => live(await poolsOn(store), drawn));
      await fc.assert(property, { numRuns: runs(cluster ? 8 : 30) });
      t.pass('holds');
    });
  });
}

async function poolsOn(store: Store) {
  const { redis, primaries } = store;
  await redis.ping();
  await Promise.all(primaries().map((primary) => primary.flushall()));
  await loadLibrary(redis);
  const seen: SeenSequences = new Map();
  const login = createLoginLedger(redis, { seen, holdMs });
  const pools = createPoolLedger(redis, seen);
  const clock = { nowMs: noon };
  const asked = (pool: Pool, who: Subscriber, more: Partial<LoginAsk>): LoginAsk => ({
    ...{ nowMs: clock.nowMs, tenantId: 1, subscriptionId: who.sub, pools: [{ pool, holder: who.holder }] },
    place: { nasInstance: '1', callingStationId: '', nasPort: '', nasPortId: '' },
    ...more,
  });
  const ask = async (pool: Pool, who: Subscriber, more: Partial<LoginAsk> = {}) => login.ask(asked(pool, who, more));
  const look = async (pool: Pool, who: Subscriber, more: Partial<LoginAsk> = {}) => login.look(asked(pool, who, more));
  const noted: Parameters<typeof note>[] = [];
  async function note(pool: Pool, unit: string, sub: number, session: string, open: boolean, atMs = clock.nowMs) {
    noted.push([pool, unit, sub, session, open, atMs]);
    const told = { unit, subscriptionId: sub, sessionKey: session, incarnation: 1, atMs, open };
    return pools.note(pool, [told], clock.nowMs);
  }
  return { ...{ store, redis, seen, login, pools, clock, note, noted, ask, look } };
}
type Pools = Awaited<ReturnType<typeof poolsOn>>;

/** Every key of every primary with what is in it; when it ends is left aside. */
async function everything({ store }: Pools): Promise<string[]> {
  const all = store.primaries().map(async (primary) => {
    const names = await primary.keys('*');
    return Promise.all(names.map(async (name) => `${name} ${(await primary.dumpBuffer(name))?.toString('hex')}`));
  });
  return (await Promise.all(all)).flat().sort();
}

const alice = { sub: 1, holder: 'a1' };
const bob = { sub: 2, holder: 'b2' };
const carol = { sub: 3, holder: 'c3' };

const rules: Record<string, (t: Test, isp: Pools) => Promise<void>> = {
  'a login repeated is given the same address, and its hold begins anew': async (t, isp) => {
    const pool = poolOf();
    const unit = unitOf(await isp.ask(pool, alice));
    t.equal(unit, '1:0');
    isp.clock.nowMs += 100_000;
    t.equal(unitOf(await isp.ask(pool, alice)), unit);
    isp.clock.nowMs += 100_000;
    t.equal(unitOf(await isp.ask(pool, bob)), '1:1');
    t.match(await readPoolUse(isp.redis, pool.id), { used: 2, exhausted: 0, conflicts: 0, byRange: new Map([[1, 2]]) });
  },

  'an address without a Start goes back after the hold, to others only after the cool-down': async (t, isp) => {
    const pool = poolOf({ ranges: [{ id: 1, first: '100.64.0.0', size: 1, draining: false }] });
    await isp.ask(pool, alice);
    isp.clock.nowMs += holdMs;
    t.equal(unitOf(await isp.ask(pool, bob)), null, 'Alice had it a moment ago');
    const hers = { sub: 1, holder: 'new device' };
    t.equal(unitOf(await isp.ask(pool, hers)), null, 'the Start of her other session may be on its way');
    t.equal(unitOf(await isp.ask(pool, hers, { oneSession: true })), '1:0', 'if she has no other she has it at once');
    isp.clock.nowMs += holdMs + coolDownMs - 1;
    t.equal(unitOf(await isp.ask(pool, bob)), null);
    isp.clock.nowMs += 1;
    t.equal(unitOf(await isp.ask(pool, bob)), '1:0');
    t.match(await readPoolUse(isp.redis, pool.id), { used: 1, exhausted: 3 });
  },

  'logins of one moment get an address each, and what is wrong with one subscription keeps no other out': async (
    t,
    isp,
  ) => {
    const pool = poolOf({ ranges: [{ id: 1, first: '100.64.0.0', size: 200, draining: false }] });
    const limit = { sessions: 1, aliveMs: 60_000 };
    const at = (who: Subscriber) => ({
      limit,
      place: { nasInstance: '1', callingStationId: who.holder, nasPort: '', nasPortId: '' },
    });
    const people = Array.from({ length: 80 }, (_, n) => ({ sub: 100 + n, holder: `0a${n}` }));
    const [broken, ...well] = people;
    const partition = partitionOf(1, broken!.sub);
    await isp.redis.set(keys.subscriptionSessions(partition, 1, broken!.sub), 'not a set');
    const twice = [...people, ...well.slice(0, 10)];
    const all = await Promise.allSettled(twice.map((who) => isp.ask(pool, who, at(who))));
    t.match(all[0], { status: 'rejected', reason: /WRONGTYPE/ });
    const units = all.slice(1).map((one) => (one.status === 'fulfilled' ? unitOf(one.value) : one.reason));
    t.equal(new Set(units.slice(0, well.length)).size, well.length, 'each has one');
    t.strictSame(units.slice(well.length), units.slice(0, 10), 'the same login twice has the same');
    const thief = { sub: well[0]!.sub, holder: '0b1' };
    t.match(await isp.ask(pool, thief, at(thief)), { kind: 'refused', by: 'session_limit' });
    t.match(await readPoolUse(isp.redis, pool.id), { used: well.length });
    const unreadable = poolOf({ id: 6 });
    await isp.redis.set(keys.pool(6), 'not a hash');
    const [none, one] = await Promise.allSettled([isp.ask(unreadable, bob), isp.ask(pool, alice)]);
    t.match(none, { status: 'rejected', reason: /WRONGTYPE/ });
    t.match(one, { status: 'fulfilled' }, 'nor is another pool');
  },

  'a Start keeps the address, a Stop gives it back, and its subscription gets it again': async (t, isp) => {
    const pool = poolOf();
    const unit = unitOf(await isp.ask(pool, alice))!;
    await isp.ask(pool, bob);
    await isp.note(pool, unit, 1, 's1', true);
    isp.clock.nowMs += 600 * minute;
    t.equal(unitOf(await isp.ask(pool, alice)), unit, 'the session lives: a login at the same place has its address');
    t.match(await readLease(isp.redis, pool.id, unit), { state: 'live', subscriptionId: 1, sessionKey: 's1' });
    t.equal(await isp.note(pool, unit, 1, 's1', false), 1);
    t.match(await readLease(isp.redis, pool.id, unit), { state: 'free', subscriptionId: 1 });
    isp.clock.nowMs += 600 * minute;
    for (const holder of ['x', 'y', 'z']) t.not(unitOf(await isp.ask(pool, { sub: 9, holder })), unit);
    t.equal(unitOf(await isp.ask(pool, { sub: 1, holder: 'elsewhere' })), unit);
  },

  'after the store went back in time the last address is given to who has one session only': async (t, isp) => {
    for (const oneSession of [false, true]) {
      const pool = poolOf({ id: oneSession ? 2 : 1 });
      const last = new Map<number, string>();
      for (const who of [bob, alice]) {
        const unit = unitOf(await isp.ask(pool, who))!;
        for (const open of [true, false]) await isp.note(pool, unit, who.sub, `s${who.sub}`, open);
        last.set(who.sub, unit);
      }
      isp.seen.set(pool.id, isp.seen.get(pool.id)! + 1);
      t.equal(
        unitOf(await isp.ask(pool, alice, { oneSession })) === last.get(1),
        oneSession,
        'none of hers may have it',
      );
      t.not(unitOf(await isp.ask(pool, bob, { oneSession })), last.get(2), 'his would have been given next');
    }
  },

  'whoever only looks at a new range is told, too, that nobody knows yet what is free': async (t, isp) => {
    const young = { id: 1, first: '100.64.0.0', size: 4, draining: false, createdAtMs: noon - minute };
    const pool = poolOf({ ranges: [young] });
    t.match(await isp.look(pool, alice), { units: [null], recovering: [true] });
    t.match(await isp.ask(pool, alice), { units: [null], recovering: [true] });
    t.match(await readPoolUse(isp.redis, pool.id), { used: 0, exhausted: 0 });
    await isp.pools.seen(pool.id, [1]);
    t.match(await isp.look(pool, alice), { units: ['1:0'], recovering: [false] });
  },

  'what is told late or twice changes nothing, closed wins ties': async (t, isp) => {
    const pool = poolOf();
    const unit = unitOf(await isp.ask(pool, alice))!;
    t.equal(await isp.note(pool, unit, 1, 's1', true, noon), 1);
    t.equal(await isp.note(pool, unit, 1, 's1', false, noon), 1);
    t.equal(await isp.note(pool, unit, 1, 's1', true, noon), 0);
    t.equal(await isp.note(pool, unit, 1, 's1', false, noon), 0);
    t.equal(await isp.note(pool, unit, 1, 's2', true, noon + 5), 1);
    t.equal(await isp.note(pool, unit, 1, 's1', false, noon + 9), 0, 'the session before it is long forgotten');
    t.match(await readLease(isp.redis, pool.id, unit), { state: 'live', sessionKey: 's2' });
  },

  'a session that came up with an address nobody was given keeps it': async (t, isp) => {
    const pool = poolOf();
    await isp.note(pool, '1:0', 7, 'static', true);
    await isp.note(pool, '1:2', 8, 'other', true);
    t.strictSame([unitOf(await isp.ask(pool, alice)), unitOf(await isp.ask(pool, bob))], ['1:1', '1:3']);
    t.equal(unitOf(await isp.ask(pool, carol)), null);
    await isp.note(pool, '1:1', 8, 'thief', true);
    t.match(await readPoolUse(isp.redis, pool.id), { used: 4, exhausted: 1, conflicts: 1 });
  },

  'ranges are used in their order, and a draining one gives nothing new': async (t, isp) => {
    const ranges = [
      { id: 1, first: '100.64.0.0', size: 1, draining: false },
      { id: 2, first: '100.64.1.0', size: 1, draining: false },
    ];
    const pool = poolOf({ ranges });
    const drained = poolOf({ ranges: ranges.map((range) => ({ ...range, draining: range.id === 1 })) });
    t.equal(unitOf(await isp.ask(pool, alice)), '1:0');
    t.equal(unitOf(await isp.ask(drained, alice)), '1:0', 'the login that is under way');
    await isp.note(pool, '1:0', 1, 's', true);
    t.equal(unitOf(await isp.ask(drained, alice)), '2:0', 'her next session moves');
    await isp.note(pool, '1:0', 1, 's', false);
    isp.clock.nowMs += coolDownMs;
    t.equal(unitOf(await isp.ask(drained, bob)), null);
    t.equal(unitOf(await isp.ask(pool, bob)), '1:0');
  },

  'a reserve is nobody else’s, what was handed out of it is settled, and it ends when it is not renewed': async (
    t,
    isp,
  ) => {
    const pool = poolOf();
    const reserve = await isp.pools.reserve(pool, 'n', 2, noon);
    t.strictSame([...reserve].sort(), ['1:0', '1:1']);
    t.equal(unitOf(await isp.ask(pool, alice)), '1:2');
    const handed = [{ unit: '1:1', subscriptionId: 2, holder: 'b2' }];
    t.equal(await isp.pools.settle(pool, 'n', handed, noon, holdMs), 1);
    t.equal(await isp.pools.settle(pool, 'n', handed, noon, holdMs), 0, 'once');
    t.equal(unitOf(await isp.ask(pool, bob)), '1:1');
    t.strictSame(await isp.pools.reserve(pool, 'n', 0, noon), ['1:0'], 'renewed');
    await isp.note(pool, '1:0', 3, 'session of Carol', true);
    t.strictSame(await isp.pools.reserve(pool, 'n', 1, noon), ['1:3'], 'what a session has is in no reserve');
    t.equal(unitOf(await isp.ask(pool, carol)), null);
    isp.clock.nowMs += 25 * 3600_000;
    await isp.pools.tend(pool, isp.clock.nowMs, 100);
    t.match(await readLease(isp.redis, pool.id, '1:3'), { state: 'free' });
    t.strictSame(await isp.pools.reserve(pool, 'n', 0, isp.clock.nowMs), []);
  },

  'live addresses come up to be looked at, and again later': async (t, isp) => {
    const pool = poolOf();
    const unit = unitOf(await isp.ask(pool, alice))!;
    await isp.note(pool, unit, 1, 'a|b', true);
    t.strictSame(await isp.pools.due(pool, noon, minute, 10), []);
    const later = noon + 30 * minute;
    const wanted = { unit, subscriptionId: 1, incarnation: 1, sessionKey: 'a|b', atMs: noon };
    t.strictSame(await isp.pools.due(pool, later, minute, 10), [wanted]);
    t.strictSame(await isp.pools.due(pool, later, minute, 10), []);
    t.strictSame(await isp.pools.due(pool, later + minute, minute, 10), [wanted]);
  },

  'a login that is refused for its sessions takes no address': async (t, isp) => {
    const pool = poolOf();
    const limit = { sessions: 1, aliveMs: minute };
    const place = (nasPort: string) => ({ nasInstance: '1', callingStationId: '', nasPort, nasPortId: '' });
    t.equal(unitOf(await isp.ask(pool, alice, { limit, place: place('1') })), '1:0');
    const refused = await isp.ask(pool, { ...alice, holder: 'elsewhere' }, { limit, place: place('2') });
    t.strictSame(refused, { kind: 'refused', by: 'session_limit' });
    t.match(await readPoolUse(isp.redis, pool.id), { used: 1 });
    isp.clock.nowMs += holdMs;
    t.equal(unitOf(await isp.ask(pool, alice, { limit, place: place('2') })), '1:0', 'no Start came');
  },

  'a look tells what a login would be given, and changes nothing': async (t, isp) => {
    const pool = poolOf({ ranges: [{ id: 1, first: '100.64.0.0', size: 2, draining: false }] });
    const look = async (who: Subscriber, more: Partial<LoginAsk> = {}) => {
      const before = await everything(isp);
      const grant = await isp.look(pool, who, more);
      t.strictSame(await everything(isp), before);
      return grant;
    };
    t.equal(unitOf(await look(alice)), '1:0');
    t.equal(unitOf(await isp.ask(pool, alice)), '1:0');
    t.equal(unitOf(await look(alice)), '1:0', 'her own again');
    t.equal(unitOf(await look(bob)), '1:1');
    await isp.ask(pool, bob);
    t.equal(unitOf(await look(carol)), null);
    isp.clock.nowMs += holdMs + coolDownMs - 1;
    t.equal(unitOf(await look(carol)), null, 'their holds are over, the cool-down is not');
    isp.clock.nowMs += 1;
    t.equal(unitOf(await look(carol)), '1:0');
    t.equal(unitOf(await isp.ask(pool, carol)), '1:0');
    const limit = { sessions: 1, aliveMs: minute };
    const place = (nasPort: string) => ({ nasInstance: '1', callingStationId: '', nasPort, nasPortId: '' });
    const mac = { address: '001122334455', most: 1, mode: 'lock' } as const;
    t.equal((await look(alice, { limit, mac, place: place('1') })).kind, 'granted');
    await isp.ask(pool, alice, { limit, mac, place: place('1') });
    t.strictSame(await look(alice, { limit, place: place('2') }), { kind: 'refused', by: 'session_limit' });
    const other = { ...mac, address: '66778899aabb' };
    t.strictSame(await look(alice, { mac: other }), { kind: 'refused', by: 'mac' });
    t.match(await look(alice, { mac: { ...other, mode: 'replace' } }), { kind: 'granted', learned: true });
  },

  'an operator frees an address, and sees who has which': async (t, isp) => {
    const pool = poolOf();
    await isp.ask(pool, alice);
    await isp.ask(pool, bob);
    t.equal(await isp.pools.free(pool.id, '1:0', noon), true);
    t.equal(await isp.pools.free(pool.id, '1:0', noon), false);
    const { leases, nextCursor } = await listLeases(isp.redis, pool.id, '0', 100);
    t.equal(nextCursor, null);
    t.strictSame(leases.map(({ unit, state, subscriptionId }) => [unit, state, subscriptionId]).sort(), [
      ['1:0', 'free', 1],
      ['1:1', 'held', 2],
    ]);
  },
};

type Step =
  | { readonly kind: 'logins'; readonly who: readonly { readonly sub: number; readonly device: number }[] }
  | { readonly kind: 'start' | 'stop'; readonly which: number }
  | { readonly kind: 'wait'; readonly ms: number };
/** Mostly one; sometimes several of the same moment, which one call asks for. */
const who = fc.oneof(
  { weight: 2, arbitrary: fc.tuple(fc.record({ sub: fc.nat(8), device: fc.nat(1) })) },
  { weight: 1, arbitrary: fc.array(fc.record({ sub: fc.nat(8), device: fc.nat(1) }), { minLength: 2, maxLength: 5 }) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('logins' as const), who }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('start' as const, 'stop' as const), which: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, 60_000, 200_000) }) },
);
const steps = fc.array(step, { minLength: 10, maxLength: 80 });

/** Plays the steps; `recovering`: the store may refuse what it is not sure of. */
async function live(isp: Pools, drawn: readonly Step[], model = createPoolModel(), recovering = false): Promise<void> {
  const pool = poolOf();
  for (const [index, todo] of drawn.entries()) {
    const { nowMs } = isp.clock;
    switch (todo.kind) {
      case 'wait':
        isp.clock.nowMs += todo.ms;
        break;
      case 'logins': {
        const all = todo.who.map(({ sub, device }) => ({ sub: sub + 1, holder: `${sub}-${device}` }));
        const units = (await Promise.all(all.map((who) => isp.ask(pool, who)))).map(unitOf);
        for (const [at, who] of all.entries()) {
          const unit = units[at] ?? null;
          const wrong = unit === null ? undefined : model.grant(unit, who, nowMs, recovering);
          if (wrong) throw new Error(wrong);
          if (unit === null && !recovering && !model.full(pool, who, nowMs)) throw new Error(`refused ${who.holder}`);
        }
        break;
      }
      case 'start': {
        const held = model.held(nowMs);
        const chosen = held[todo.which % held.length];
        if (!chosen) break;
        const session = `s${index} of ${nowMs}`;
        model.start(chosen.unit, session);
        await isp.note(pool, chosen.unit, chosen.sub, session, true);
        break;
      }
      case 'stop': {
        const open = model.live();
        const chosen = open[todo.which % open.length];
        if (!chosen) break;
        model.stop(chosen.unit, nowMs);
        await isp.note(pool, chosen.unit, chosen.sub, chosen.session, false);
        break;
      }
      default:
        todo satisfies never;
    }
  }
}

t.test('a store that came back from an older copy of its file gives nobody what another one has', async (t) => {
  t.setTimeout(isLong ? 1_800_000 : 90_000);
  const store = await storeForTest(t, { durable: true });
  const copy = path.join(store.server.dir, 'copy');
  const file = path.join(store.server.dir, 'appendonlydir');
  const histories = fc.record({ before: steps, lost: steps, after: steps });
  for (const [round, { before, lost, after }] of fc.sample(histories, { numRuns: runs(8), seed: 7 }).entries()) {
    const isp = await poolsOn(store);
    const model = createPoolModel();
    await live(isp, before, model);
    await rm(copy, { recursive: true, force: true });
    await cp(file, copy, { recursive: true });
    isp.noted.length = 0;
    await live(isp, lost, model);
    await store.server.kill9();
    await rm(file, { recursive: true });
    await cp(copy, file, { recursive: true });
    await store.server.start();
    await until(() => isp.redis.ping(), 'the client is connected again', 10_000);
    // Where it gave nothing meanwhile nobody misses anything: the lanes bring back what sessions told.
    const { id } = poolOf();
    const gaveNothing = Number(await isp.redis.hget(keys.pool(id), 'seq')) === (isp.seen.get(id) ?? 0);
    if (gaveNothing) for (const told of [...isp.noted]) await isp.note(...told);
    await live(
      isp,
      after.filter(({ kind }) => kind !== 'wait'),
      model,
      true,
    );
    t.pass(`history ${round} holds`);
  }
});

t.test('a store killed between logins has forgotten none of them', async (t) => {
  const store = await storeForTest(t, { durable: true });
  const isp = await poolsOn(store);
  const pool = poolOf({ ranges: [{ id: 1, first: '100.64.0.0', size: 60_000, draining: false }] });
  const given = new Map<string, string>();
  let running = true;
  let failed = 0;
  const client = async (name: number) => {
    for (let n = 0; running; n++) {
      const who = { sub: name * 100_000 + n, holder: `${name}-${n}` };
      try {
        const unit = unitOf(await isp.ask(pool, who))!;
        if (given.has(unit)) throw new Error(`${unit} is with ${given.get(unit)} and ${who.holder}`);
        given.set(unit, who.holder);
      } catch (error) {
        if (error instanceof Error && error.message.includes(' is with ')) throw error;
        failed++;
        await until(() => isp.redis.ping(), 'the store is back', 10_000);
      }
    }
  };
  const clients = Promise.all([1, 2, 3].map(client));
  for (let kills = 1; kills <= 3; kills++) {
    await until(() => given.size > 200 * kills, 'logins go on', 20_000);
    await store.server.kill9();
    await store.server.start();
  }
  running = false;
  await clients;
  t.ok(given.size > 600, `${given.size} addresses, each with one; ${failed} calls failed`);
});

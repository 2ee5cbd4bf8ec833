// A ledger that is brought back from its own outbox counts on as if nothing had happened. On a single server and on a cluster.
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { isAway } from '#ops/lanes/away.ts';
import { readAddresses } from '#policy/ledger/addresses.ts';
import { createEnforcementLedger } from '#policy/ledger/enforcement.ts';
import { keys, partitionOf, tag } from '#policy/ledger/keys.ts';
import type { OutboxRow } from '#policy/ledger/outbox-entry.ts';
import { createRestore, type Restore } from '#policy/ledger/restore.ts';
import { partitionCount } from '#policy/ledger/types.ts';
import { usageWindows } from '#policy/time.ts';
import { runs } from '#test/support/effort.ts';
import { eve, histories, neighbour, nonsense, span, subscribers } from './histories.ts';
import { callOf, ledgerOn, recordAt, type Store, storeForTest, tenantId, zone } from './ledger-under-test.ts';

const noon = Date.UTC(2026, 2, 4, 12);
const partition = partitionOf(tenantId, 7);
const partitions = Array.from({ length: partitionCount }, (_, index) => index);
const facts = { thresholds: [{ window: 'day', direction: 'total', bytes: 5_000_000_000 }] as const };

type Isp = Awaited<ReturnType<typeof ledgerOn>>;

for (const cluster of [false, true]) {
  t.test(cluster ? 'in a cluster of three primaries' : 'on a single server', async (t) => {
    t.setTimeout(600_000);
    const store = await storeForTest(t, { cluster });
    for (const [title, rule] of Object.entries(rules)) {
      await t.test(title, async (t) => {
        const isp = await ledgerOn(t, store);
        await rule(t, isp, createRestore(store.redis), store);
      });
    }
    const quiet = { strictSame: (found: unknown, wanted: unknown, what: string) => same(found, wanted, what) };
    for (const [title, drawn] of [
      ['after a history of sessions everything goes on as in the model', histories.map(({ records }) => records)],
      [
        'after records without sense too',
        nonsense.map((list) => list.filter(({ kind }) => kind !== 'on' && kind !== 'off')),
      ],
    ] as const) {
      await t.test(title, async (t) => {
        await fc.assert(
          fc.asyncProperty(drawn, fc.nat(12), async (records, at) => {
            const isp = await ledgerOn(quiet, store);
            for (const record of records.slice(0, at)) await isp.apply(record, facts);
            await rebuild(isp, store);
            for (const id of [...subscribers, neighbour]) await isp.sessions(id);
            for (const record of records.slice(at)) await isp.apply(record, facts);
            for (const id of [...subscribers, neighbour]) {
              await isp.sessions(id);
              for (let days = 0; days <= span.days; days++) await isp.usage(eve + days * 86_400_000, id);
            }
          }),
          { numRuns: runs(cluster ? 2 : 8), endOnFailure: true },
        );
        t.pass('holds');
      });
    }
  });
}

/** Everything is lost but what the outbox told and the sums that a history keeps. */
async function rebuild(isp: Isp, { redis, primaries }: Store): Promise<void> {
  const entries = await isp.outbox();
  const positions = await isp.ledger.lanePositions('w');
  await Promise.all(primaries().map((primary) => primary.flushall()));
  const restore = createRestore(redis);
  await restore.load();
  for (const each of partitions) same(await restore.begin(each), true, 'begin');
  await restore.clear(partitions);
  for (const id of [...subscribers, neighbour]) await restore.usage(usageOf(isp, id));
  for (const [, own] of Map.groupBy(entries, ({ nasInstance, sessionId }) => `${nasInstance} ${sessionId}`)) {
    await restore.session(sessionOf(own));
  }
  for (const each of partitions) await restore.end(each, new Map([['w', positions[each]!]]));
}

function sessionOf(own: readonly OutboxRow[]) {
  const { partition: at, nasId, nasInstance, sessionId } = own[0]!;
  const states = Map.groupBy(own, ({ incarnation }) => incarnation);
  return {
    ...{ partition: at, tenantId, nasId, nasInstance, sessionId },
    incarnations: [...states.values()].map((list) => list.map(({ state }) => state)),
  };
}

function usageOf(isp: Isp, subscriptionId: number) {
  const counters = isp.model.counters(tenantId, subscriptionId);
  const of = (kind: string) =>
    [...counters].flatMap(([name, count]) =>
      name.startsWith(`${kind} `) ? [{ fromMs: Number(name.split(' ')[1]), ...count }] : [],
    );
  return {
    ...{ tenantId, subscriptionId, all: counters.get('') ?? { upBytes: 0, downBytes: 0 } },
    counts: { day: of('day'), week: of('week'), month: of('month') },
    ...{
      windows: usageWindows(eve, zone, 1, 1),
      thresholds: facts.thresholds,
      meter: 'radius' as const,
      meterSinceMs: null,
    },
  };
}

const rules: Record<string, (t: Test, isp: Isp, restore: Restore, store: Store) => Promise<void>> = {
  'while a partition is paused nothing is counted in it, and the others go on': async (t, isp, restore, { redis }) => {
    await isp.apply(recordAt(noon, { kind: 'start' }));
    const enforcement = createEnforcementLedger(redis, 'node');
    const claim = () =>
      enforcement.claim(partition, '', {
        leaseMs: 1000,
        crossings: 9,
        count: 9,
        visibilityMs: 1000,
        again: true,
        nowMs: noon,
      });
    t.equal(await restore.begin(partition), true);
    t.equal(await restore.begin(partition), true, 'the same one makes it longer');
    t.equal(await createRestore(redis).begin(partition), false, 'another rebuild has to wait');
    const record = recordAt(noon + 1000, { kind: 'interim', sessionTimeS: 1, downOctets: 5 });
    const lane = { walId: 'w', previous: 10, position: 20, generation: 1 };
    const entries = [{ tenantId, subscriptionId: 7, slotFromMs: noon, upBytes: 1, downBytes: 1 }];
    const flow = { lane: { ...lane, walId: 'f', previous: 0 }, record: { partition, receivedAtMs: noon, entries } };
    for (const refused of [
      () => isp.ledger.apply(callOf(record, lane)),
      () => isp.ledger.applyFlow(flow),
      () => isp.ledger.noteBoot('1', noon + 500),
      () => isp.ledger.setMeter({ tenantId, subscriptionId: 7 }, 'flow', null),
    ]) {
      const error = await refused().then(
        () => undefined,
        (failure: unknown) => failure,
      );
      t.match(error, /^.*LEDGERPAUSED/);
      t.ok(isAway(error), 'appliers wait');
    }
    t.equal(await claim(), null, 'nobody enforces by half a ledger');
    t.equal((await isp.apply(recordAt(noon, { kind: 'start', subscriptionId: 8, sessionId: 'b' }))).kind, 'applied');
    t.match(await isp.ledger.sessionsOf(tenantId, 7), [{ sessionId: 'a' }], 'it can be read');
    await restore.end(partition, new Map());
    t.equal((await isp.both(callOf(record, lane))).kind, 'applied');
    t.match(await claim(), { fresh: true });
  },

  'a pause that nobody ends is over by itself, and what belongs to it is refused': async (
    t,
    isp,
    restore,
    { redis },
  ) => {
    await restore.begin(partition);
    await redis.hset(keys.lanes(partition), ':paused', `${Date.now() - 1} gone`);
    t.equal((await isp.apply(recordAt(noon, { kind: 'start' }))).kind, 'applied');
    const usage = usageOf(isp, 7);
    for (const late of [() => restore.usage(usage), () => restore.end(partition, new Map([['w', 99]]))]) {
      await t.rejects(late(), /RESTOREOVER/);
    }
    t.equal((await isp.ledger.lanePositions('w'))[partition], 10);
    t.equal(await createRestore(redis).begin(partition), true);
  },

  'clear forgets counters and sessions, and nothing that enforcement decided or the streams hold': async (
    t,
    isp,
    restore,
  ) => {
    for (const id of [7, 8]) {
      await isp.apply(recordAt(noon, { kind: 'start', subscriptionId: id, sessionId: `s${id}` }));
      await isp.apply(
        recordAt(noon + 60_000, {
          kind: 'interim',
          subscriptionId: id,
          sessionId: `s${id}`,
          sessionTimeS: 60,
          upOctets: 1,
        }),
      );
    }
    await isp.redis.hset(keys.lastProfiles(partition, tenantId), '7', 'text');
    await restore.begin(partition);
    await restore.clear([partition]);
    const left = (await Promise.all(isp.primaries().map((primary) => primary.keys(`*${tag(partition)}*`)))).flat();
    t.strictSame(left.map((key) => key.split(':')[0]).sort(), ['acct', 'address', 'lane', 'opened', 'prof']);
    t.equal((await isp.ledger.sessionsOf(tenantId, 8)).length, 1, 'other partitions keep theirs');
    await restore.end(partition, new Map([['w', 20]]));
  },

  'a session comes back with all that its records told, and its address is told anew': async (t, isp, restore) => {
    const whole = { framedIp: '100.64.0.7', delegatedIpv6Prefix: '2001:db8:7::/56', nasPortId: 'ether9' };
    await isp.apply(recordAt(noon, { kind: 'start', ...whole, classUuid: 'a'.repeat(32) }));
    const bare = { framedIp: '', delegatedIpv6Prefix: '', nasPortId: '' };
    const interim = {
      kind: 'interim',
      sessionTimeS: 60,
      upOctets: 6,
      downOctets: 7,
      classUuid: 'a'.repeat(32),
    } as const;
    await isp.apply(recordAt(noon + 60_000, { ...interim, ...bare }));
    const before = await isp.ledger.sessionsOf(tenantId, 7);
    const entries = await isp.outbox();
    await restore.begin(partition);
    await restore.clear([partition]);
    t.strictSame(await isp.ledger.sessionsOf(tenantId, 7), []);
    for (const key of [keys.addresses(partition), keys.directory('1', 'a')]) await isp.redis.del(key);
    await restore.session(sessionOf(entries));
    await restore.end(partition, new Map([['w', 20]]));
    t.strictSame(await isp.ledger.sessionsOf(tenantId, 7), before);
    t.match(await isp.ledger.lookupSession('1', 'a'), { partition, tenantId, subscriptionId: 7 });
    const { events } = await readAddresses(isp.redis, partition, '0-0', 10);
    t.match(events, [
      { ...{ framedIp: '100.64.0.7', delegatedIpv6Prefix: '2001:db8:7::/56' }, fromMs: noon, toMs: null },
    ]);
    await isp.apply(recordAt(noon + 120_000, { ...interim, sessionTimeS: 120, upOctets: 9, nasPortId: 'ether10' }));
    t.match(await isp.ledger.sessionsOf(tenantId, 7), [{ upBytes: 9, nasPortId: 'ether10', framedIp: '100.64.0.7' }]);
  },

  'what was described late is put right by the next record': async (t, isp, _, store) => {
    const at = (seconds: number, framedIp: string) =>
      isp.apply(recordAt(noon + seconds * 1000, { kind: 'interim', sessionTimeS: seconds, framedIp }));
    await at(60, '100.64.0.1');
    await at(180, '100.64.0.2');
    await at(120, '100.64.0.1');
    await rebuild(isp, store);
    await at(240, '100.64.0.2');
    t.match(await isp.ledger.sessionsOf(tenantId, 7), [{ framedIp: '100.64.0.2' }]);
  },

  'earlier incarnations that came late are known, and the next one has a number of its own': async (
    t,
    isp,
    _,
    store,
  ) => {
    const uuid = (letter: string) => letter.repeat(32);
    const at = (hours: number, letter: string, downOctets: number) =>
      isp.apply(
        recordAt(noon + hours * 3_600_000, {
          kind: 'stop',
          classUuid: uuid(letter),
          sessionTimeS: 600,
          upOctets: 0,
          downOctets,
        }),
      );
    await at(0, 'a', 100);
    await at(-2, 'b', 10);
    await rebuild(isp, store);
    await at(-4, 'c', 1000);
    await at(-2, 'b', 15);
    await at(-4, 'c', 1007);
    await at(0, 'a', 103);
    t.equal((await isp.usage(noon)).all.downBytes, 103 + 15 + 1007);
  },

  'flows count at once in the windows that were brought': async (t, isp, restore) => {
    await restore.begin(partition);
    const usage = { ...usageOf(isp, 7), windows: usageWindows(noon, zone, 1, 1), meter: 'flow' as const };
    const day = { upBytes: 1000, downBytes: 2 ** 53 - 10 };
    const fromMs = usage.windows.day[1]!.fromMs;
    await restore.usage({ ...usage, all: day, counts: { day: [{ fromMs, ...day }], week: [], month: [] } });
    await restore.end(partition, new Map());
    const entries = [{ tenantId, subscriptionId: 7, slotFromMs: noon, upBytes: 1, downBytes: 2 }];
    const lane = { walId: 'f', previous: 0, position: 10, generation: 1 };
    const answer = await isp.ledger.applyFlow({ lane, record: { partition, receivedAtMs: noon, entries } });
    t.strictSame(answer, { kind: 'applied', crossed: false, flags: [] });
    const found = await isp.ledger.usage(tenantId, 7, usageWindows(noon, zone, 1, 1));
    t.strictSame(found.day, { upBytes: 1001, downBytes: 2 ** 53 - 8 });
    t.strictSame(found.week, { upBytes: 1, downBytes: 2 });
  },

  'a state that cannot be read is an error, and an empty session is none': async (t, isp, restore) => {
    await restore.begin(partition);
    const session = {
      ...{ partition, tenantId, nasId: 1, nasInstance: '1', sessionId: 'a' },
      incarnations: [['AAAA']],
    };
    await restore.session(session);
    await restore.session({ ...session, incarnations: [] });
    t.equal(await isp.redis.exists(isp.sessionKey()), 0);
    await restore.end(partition, new Map());
  },
};

function same(found: unknown, wanted: unknown, what: string): void {
  const text = (value: unknown) =>
    JSON.stringify(value, (_, part: unknown) => (part instanceof Map ? [...part].sort() : sorted(part)));
  if (text(found) !== text(wanted)) throw new Error(`${what}: found ${text(found)}, wanted ${text(wanted)}`);
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

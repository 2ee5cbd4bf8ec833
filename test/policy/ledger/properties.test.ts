// What holds for every history: totals are exact in any order, however often records come, and whatever the stores forget.
import { cp, rm } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { usageDirections, usageWindows as windowKinds } from '#policy/fup/rules.ts';
import { createLedger } from '#policy/ledger/ledger.ts';
import type { AccountingRecord } from '#policy/ledger/types.ts';
import { usageWindows } from '#policy/time.ts';
import { isLong, runs } from '#test/support/effort.ts';
import { until } from '#test/support/wait.ts';
import { createWal } from './appliers.ts';
import {
  eve,
  type History,
  histories,
  jumping,
  neighbour,
  nonsense,
  shuffled,
  span,
  subscribers,
  type Totals,
} from './histories.ts';
import {
  callOf,
  connect,
  type Facts,
  ledgerOn,
  type Store,
  storeForTest,
  tenantId,
  zone,
} from './ledger-under-test.ts';
import { shareOf } from './model.ts';

const numRuns = runs(20, 2000);
t.setTimeout(isLong ? 3_600_000 : 600_000);
const thresholds: Facts = {
  thresholds: windowKinds.flatMap((window) =>
    usageDirections.map((direction) => ({ window, direction, bytes: 10_000_000_000 })),
  ),
};

for (const cluster of [false, true]) {
  t.test(cluster ? 'in a cluster of three primaries' : 'on a single server', async (t) => {
    t.setTimeout(isLong ? 1_800_000 : 300_000);
    const store = await storeForTest(t, { cluster });
    const check = <T>(title: string, arbitrary: fc.Arbitrary<T>, holds: (isp: Isp, drawn: T) => Promise<void>) =>
      t.test(title, async (t) => {
        t.setTimeout(isLong ? 600_000 : 150_000);
        const quiet = { strictSame: (found: unknown, wanted: unknown, what: string) => same(found, wanted, what) };
        const property = fc.asyncProperty(arbitrary, async (drawn) => holds(await ledgerOn(quiet, store), drawn));
        const runs = (arbitrary === nonsense ? 3 : 1) * (cluster ? numRuns / 4 : numRuns);
        await fc.assert(property, { numRuns: runs });
        t.pass('holds');
      });

    await check(
      'totals are the plain sum in any order, and every window is what the model says',
      shuffled,
      async (isp, history) => {
        for (const record of history.records) await isp.apply(record, thresholds);
        await totalsAre(isp, history.sent);
        for (const id of subscribers) await isp.sessions(id);
        await isp.outbox();
      },
    );

    await check(
      'in order a window has exactly the quarters that lie in it',
      histories,
      async (isp, { records, sent }) => {
        for (const record of records) await isp.apply(record);
        await totalsAre(isp, sent);
        await windowsAre(isp, records);
      },
    );

    await check('totals are the plain sum while a clock is set to and fro', jumping, async (isp, { records, sent }) => {
      for (const record of records) await isp.apply(record);
      for (const [id, { up, down }] of sent) {
        const { all } = await isp.ledger.usage(tenantId, id, usageWindows(eve, zone, 1, 1));
        same(all, { upBytes: Number(up), downBytes: Number(down) }, `all of ${id}`);
        same(
          (await isp.sessions(id)).every(({ classUuid }) => classUuid !== ''),
          true,
          'sessions',
        );
      }
    });

    await check('records without sense give the same answers as the model', nonsense, async (isp, records) => {
      for (const record of records) await isp.apply(record, thresholds);
      for (const id of [7, neighbour]) {
        for (const at of instants()) await isp.usage(at, id);
        await isp.sessions(id);
      }
      await isp.outbox();
    });

    const atOnce = nonsense.map((list) => list.filter(({ kind }) => kind !== 'on' && kind !== 'off'));
    await check('records sent at once give the answers of records sent one by one', atOnce, async (isp, records) => {
      const last = new Map<number, number>();
      const calls = records.map((record, index) => {
        const lane = { walId: 'w', previous: last.get(record.partition) ?? 0, position: index + 1, generation: 1 };
        last.set(record.partition, index + 1);
        return {
          ...callOf(record, lane, thresholds),
          windows: usageWindows(record.eventAtMs, zone, 1, 1, eve - 86_400_000 * 40),
        };
      });
      const found = await Promise.all(calls.map((call) => isp.ledger.apply(call)));
      for (const [index, call] of calls.entries()) same(found[index], isp.model.apply(call), `answer ${index}`);
      for (const id of [7, neighbour]) for (const at of instants()) await isp.usage(at, id);
      for (const id of [7, neighbour]) await isp.sessions(id);
      await isp.outbox();
    });

    const interleaved = fc.record({
      history: shuffled,
      turns: fc.array(
        fc.record({ wal: fc.nat(1), lane: fc.nat(2), count: fc.integer({ min: 1, max: 6 }), back: fc.nat(8) }),
      ),
    });
    await check(
      'two WALs whose lanes are rewound at will count everything once',
      interleaved,
      async (isp, { history, turns }) => {
        const wals = [0, 1].map((odd) =>
          createWal(
            `wal ${odd}`,
            history.records.filter((_, index) => index % 2 === odd),
          ),
        );
        for (const { wal, lane, count, back } of turns) {
          const chosen = wals[wal]!;
          const partition = chosen.partitions()[lane % chosen.partitions().length];
          if (partition === undefined) continue;
          await chosen.advance(isp.ledger, partition, count);
          chosen.rewind(partition, back);
        }
        await Promise.all(wals.map((wal) => wal.finish(isp.ledger)));
        await totalsAre(isp, history.sent);
      },
    );
  });
}

t.test('a store that came back from an older copy of its file is brought up to date', async (t) => {
  const store = await storeForTest(t, { durable: true });
  const copy = path.join(store.server.dir, 'copy');
  const live = path.join(store.server.dir, 'appendonlydir');
  for (const { history, before, after } of fc.sample(
    fc.record({ history: histories, before: fc.nat(9), after: fc.nat(9) }),
    { numRuns: 5, seed: 20 },
  )) {
    const isp = await ledgerOn(t, store);
    // A session's records come through one worker, so they keep their order.
    const wals = [0, 1].map((odd) =>
      createWal(
        `wal ${odd}`,
        history.records.filter((record) => walOf(record) === odd),
      ),
    );
    const advance = (count: number) =>
      Promise.all(
        wals.flatMap((wal) => wal.partitions().map((partition) => wal.advance(isp.ledger, partition, count))),
      );
    await advance(before);
    await cp(live, copy, { recursive: true });
    await advance(after);
    await restore(store, copy, live);
    await Promise.all(wals.map((wal) => wal.finish(isp.ledger)));
    // The lanes that were at rest hear of it by asking.
    await Promise.all(wals.map((wal) => wal.check(isp.ledger)));
    await Promise.all(wals.map((wal) => wal.finish(isp.ledger)));
    await totalsAre(isp, history.sent, t);
    for (const record of history.records) await modelOnly(isp, record);
    for (const id of subscribers) for (const at of instants()) await isp.usage(at, id);
    for (const id of subscribers) await isp.sessions(id);
  }
});

t.test('a store killed in the middle of calls loses and doubles nothing', async (t) => {
  const store = await storeForTest(t, { durable: true });
  const isp = await ledgerOn(t, store);
  const [history] = fc.sample(histories, { numRuns: 1, seed: 4 });
  const many: AccountingRecord[] = Array.from({ length: 30 }, (_, index) => index).flatMap((index) =>
    history!.records.map((record) => ({ ...record, sessionId: `${record.sessionId} ${index}` })),
  );
  const wal = createWal('wal', many);
  const finished = wal.finish(isp.ledger);
  for (let kills = 0; kills < 3; kills++) {
    const [at] = await until(async () => [(await isp.redis.dbsize()) as number], 'the store answers');
    await until(async () => (await isp.redis.dbsize()) > at! || wal.done(), 'some more was counted');
    await store.server.kill9();
    await store.server.start();
  }
  await finished;
  const sent = [...history!.sent].map(([id, { up, down }]) => [id, { up: up * 30n, down: down * 30n }] as const);
  await totalsAre(isp, new Map(sent), t);
});

t.test('a second process and a second library load do not disturb the first', async (t) => {
  const store = await storeForTest(t);
  const isp = await ledgerOn(t, store);
  const [history] = fc.sample(histories, { numRuns: 1, seed: 9 });
  const other = connect(store.server.port);
  t.teardown(() => other.disconnect());
  const second = createLedger(other);
  const wals = [0, 1].map((odd) =>
    createWal(
      `wal ${odd}`,
      history!.records.filter((record) => walOf(record) === odd),
    ),
  );
  await Promise.all([wals[0]!.finish(isp.ledger), wals[1]!.finish(second), second.load(), isp.ledger.load()]);
  await totalsAre(isp, history!.sent, t);
});

type Isp = Awaited<ReturnType<typeof ledgerOn>>;

async function totalsAre(isp: Isp, sent: Totals, t?: Test): Promise<void> {
  const listed = (await isp.ledger.listSessions(tenantId, { limit: 10_000 })).sessions.length;
  same(await isp.ledger.countSessions(tenantId), listed, 'as many are counted as are open');
  for (const [id, { up, down }] of sent) {
    const { all } = await isp.ledger.usage(tenantId, id, usageWindows(eve, zone, 1, 1));
    const wanted = { upBytes: Number(up), downBytes: Number(down) };
    if (t) t.strictSame(all, wanted, `all of ${id}`);
    else same(all, wanted, `all of ${id}`);
    for (const kind of windowKinds) {
      const starts = new Map(instants().map((at) => [usageWindows(at, zone, 1, 1)[kind].at(-1)!.fromMs, at]));
      let total = 0n;
      for (const at of starts.values()) {
        const count = (await isp.ledger.usage(tenantId, id, usageWindows(at, zone, 1, 1)))[kind];
        total += BigInt(count.upBytes) + BigInt(count.downBytes);
      }
      same(total, up + down, `sum of every ${kind} of ${id}`);
    }
  }
}

/** Windows of a history in order, from nothing but its records. */
async function windowsAre(isp: Isp, records: History['records']): Promise<void> {
  for (const id of subscribers) {
    for (const at of instants()) {
      const day = usageWindows(at, zone, 1, 1).day.at(-1)!;
      let wanted = 0n;
      for (const [, own] of Map.groupBy(
        records.filter((r) => r.subscriptionId === id),
        (r) => r.classUuid,
      )) {
        let had = { at: own[0]!.eventAtMs - (own[0]!.sessionTimeS ?? 0) * 1000, down: 0n };
        for (const { eventAtMs, downOctets, downGigawords } of own) {
          if (downOctets === null) continue;
          const down = BigInt(downOctets) + (BigInt(downGigawords ?? 0) << 32n);
          wanted += shareOf(down - had.down, had.at, eventAtMs, day);
          had = { at: eventAtMs, down };
        }
      }
      const found = await isp.ledger.usage(tenantId, id, usageWindows(at, zone, 1, 1));
      same(found.day.downBytes, Number(wanted), `day of ${new Date(at).toISOString()} of ${id}`);
    }
  }
}

/** One in each day of the history. */
function instants(): number[] {
  return Array.from({ length: span.days + 1 }, (_, days) => eve + days * 86_400_000);
}

let modelPosition = 0;
async function modelOnly(isp: Isp, record: AccountingRecord): Promise<void> {
  modelPosition++;
  const lane = { walId: `model ${modelPosition}`, previous: 0, position: 1, generation: 1 };
  const answer = isp.model.apply(callOf(record, lane));
  if (answer.kind !== 'need_windows') return;
  isp.model.apply({ ...callOf(record, lane), windows: usageWindows(record.eventAtMs, zone, 1, 1, answer.sinceMs) });
}

async function restore({ server, redis }: Store, copy: string, live: string): Promise<void> {
  await server.kill9();
  await rm(live, { recursive: true });
  await cp(copy, live, { recursive: true });
  await rm(copy, { recursive: true });
  await server.start();
  await until(async () => (await redis.ping()) === 'PONG', 'the store answers again');
}

function walOf(record: AccountingRecord): number {
  return record.sessionId.charCodeAt(0) % 2;
}

function same(found: unknown, wanted: unknown, what: string): void {
  const text = (value: unknown) =>
    JSON.stringify(sorted(value), (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part));
  if (text(found) !== text(wanted)) throw new Error(`${what}: found ${text(found)}, wanted ${text(wanted)}`);
}

function sorted(value: unknown): unknown {
  if (value instanceof Map) return [...value].sort();
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, v]) => [k, sorted(v)]),
  );
}

// The sums of the history are the counters of the ledger, byte for byte, over a change of clocks, for every window it keeps.
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { readWindowSums } from '#ops/history/window-sums.ts';
import { keys, partitionOf } from '#policy/ledger/keys.ts';
import { createLedger } from '#policy/ledger/ledger.ts';
import type { AccountingRecord } from '#policy/ledger/types.ts';
import { unpackUsage } from '#policy/ledger/usage.ts';
import { seriesEdges } from '#policy/series.ts';
import { type Calendar, windowOf } from '#policy/time.ts';
import { shipAll } from '#test/aaa-server/outbox/harness.ts';
import { createWal } from '#test/policy/ledger/appliers.ts';
import { eve, histories, nonsense, subscribers } from '#test/policy/ledger/histories.ts';
import { callOf, recordAt, storeForTest, tenantId, zone } from '#test/policy/ledger/ledger-under-test.ts';
import { startClickHouse } from '#test/support/clickhouse.ts';
import { runs } from '#test/support/effort.ts';

t.setTimeout(600_000);
const calendar: Calendar = { timeZone: zone, weekStart: 1, anchorDay: 1 };
const kinds = ['day', 'week', 'month'] as const;

/** Sessions as they should be, or anything at all; then one that was silent for so long that the ledger does not split all of it. */
const anyHistory = fc
  .tuple(
    fc.oneof(
      histories.map(({ records }) => records),
      nonsense,
    ),
    fc.option(fc.integer({ min: 60, max: 400 })),
  )
  .map(([records, silentDays]): readonly AccountingRecord[] => {
    const last = Math.max(eve, ...records.map(({ eventAtMs }) => eventAtMs));
    if (silentDays === null) return records;
    const counters = { upOctets: 4_000_000_123, upGigawords: 7, downOctets: 1, downGigawords: 2 ** 20 };
    const woken = { sessionId: 'silent', sessionTimeS: silentDays * 86_400 + 77, ...counters };
    const quiet = recordAt(last + 1, { kind: 'interim', sessionId: 'another', sessionTimeS: 1, upOctets: 1 });
    return [...records, quiet, recordAt(last + 2, { kind: 'interim', ...woken })];
  });

t.test('the history is the ledger', async (t) => {
  const { redis } = await storeForTest(t);
  const { client } = await startClickHouse(t);
  const ledger = createLedger(redis);
  let run = 0;
  let windows = 0;

  /** `<kind>:<start>` → [up, down], where there are bytes. */
  async function countersOf(subscriptionId: number): Promise<Map<string, [number, number]>> {
    const key = keys.usage(partitionOf(tenantId, subscriptionId), tenantId, subscriptionId);
    const counters = [...unpackUsage(await redis.hgetallBuffer(key))].filter(([name]) => name !== 'all');
    const counts = counters.map(([name, { upBytes, downBytes }]): [string, [number, number]] => [
      name,
      [upBytes, downBytes],
    ]);
    return new Map(counts.filter(([, [up, down]]) => up + down > 0).sort());
  }

  /** The same of the history. */
  async function sumsOf(subscriptionId: number, upTo: ReadonlyMap<string, number>, names: readonly string[]) {
    const sums = new Map<string, [number, number]>();
    for (const kind of kinds) {
      const starts = names.filter((name) => name.startsWith(kind)).map((name) => Number(name.split(':')[1]));
      if (starts.length === 0) continue;
      const edgesMs = [Math.min(...starts)];
      while (edgesMs.at(-1)! <= Math.max(...starts)) edgesMs.push(windowOf(kind, edgesMs.at(-1)!, calendar).toMs);
      const found = await readWindowSums(client, { tenantId, subscriptionIds: [subscriptionId], edgesMs, upTo });
      for (const { fromMs, upBytes, downBytes } of found) sums.set(`${kind}:${fromMs}`, [upBytes, downBytes]);
    }
    return new Map([...sums].sort());
  }

  /** Hours of the first and last days, added up, are those days. */
  async function hoursMakeDays(subscriptionId: number, upTo: ReadonlyMap<string, number>, days: readonly number[]) {
    const fromMs = Math.min(...days);
    const toMs = windowOf('day', Math.max(...days), calendar).toMs;
    const boundEdgesMs = seriesEdges('day', fromMs, toMs, zone);
    const common = { tenantId, subscriptionIds: [subscriptionId], upTo, boundEdgesMs };
    const edgesMs = seriesEdges('hour', fromMs, toMs, zone);
    const hours = await readWindowSums(client, { ...common, edgesMs });
    const added = new Map<number, number>();
    for (const hour of hours) {
      const day = windowOf('day', hour.fromMs, calendar).fromMs;
      added.set(day, (added.get(day) ?? 0) + hour.upBytes + hour.downBytes);
    }
    const sums = await readWindowSums(client, { ...common, edgesMs: boundEdgesMs });
    const wanted = new Map(sums.map((sum) => [sum.fromMs, sum.upBytes + sum.downBytes]));
    if (!isDeepStrictEqual(added, wanted)) throw new Error(`hours ${show(added)}, days ${show(wanted)}`);
  }

  await fc.assert(
    fc.asyncProperty(anyHistory, async (records) => {
      await redis.flushall();
      await ledger.load();
      const wal = createWal(`wal's ${run++}`, records);
      await wal.finish(ledger);
      await shipAll(redis, client);
      const upTo = new Map([[wal.walId, records.length]]);
      for (const subscriptionId of subscribers) {
        const counters = await countersOf(subscriptionId);
        const names = [...counters.keys()];
        if (names.length === 0) continue;
        windows += names.length;
        const sums = await sumsOf(subscriptionId, upTo, names);
        // What the ledger no longer keeps may be between what it keeps.
        const kept = new Map([...sums].filter(([name]) => counters.has(name)));
        if (!isDeepStrictEqual(kept, counters)) {
          throw new Error(`subscription ${subscriptionId}: history ${show(kept)}, ledger ${show(counters)}`);
        }
        const days = names.filter((name) => name.startsWith('day')).map((name) => Number(name.split(':')[1]));
        if (days.length > 0) await hoursMakeDays(subscriptionId, upTo, days);
      }
    }),
    { numRuns: runs(15, 1250) },
  );
  t.ok(windows > 100, `${windows} windows compared`);
});

t.test('a row of a later generation replaces its record, whatever it says', async (t) => {
  const { redis } = await storeForTest(t);
  const { client } = await startClickHouse(t);
  const ledger = createLedger(redis);
  const noon = Date.UTC(2026, 2, 4, 12);
  const apply = async (generation: number, downOctets: number) => {
    await redis.flushall();
    await ledger.load();
    const record = recordAt(noon, { kind: 'interim', sessionTimeS: 600, downOctets });
    await ledger.apply(callOf(record, { walId: 'w', previous: 0, position: 10, generation }));
    await shipAll(redis, client);
  };
  const edgesMs = [noon - 3_600_000, noon + 3_600_000];
  await apply(1, 1000);
  await apply(3, 3000);
  await apply(2, 2000);
  const sums = await readWindowSums(client, { tenantId, subscriptionIds: [7], edgesMs });
  t.strictSame(sums, [{ subscriptionId: 7, fromMs: edgesMs[0], upBytes: 0, downBytes: 3000 }]);
  const none = await readWindowSums(client, { tenantId, subscriptionIds: [7], edgesMs, upTo: new Map([['w', 9]]) });
  t.strictSame(none, []);
  t.strictSame(await readWindowSums(client, { tenantId: 2, subscriptionIds: [7], edgesMs }), []);
  t.strictSame(await readWindowSums(client, { tenantId, subscriptionIds: [], edgesMs }), []);
});

function show(counts: ReadonlyMap<unknown, unknown>): string {
  return JSON.stringify([...counts]);
}

// Flow usage and the meter: each byte counts once, by the meter that counted when it flowed. On a single server and on a cluster.
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { usageDirections, usageWindows as windowKinds } from '#policy/fup/rules.ts';
import { keys, partitionOf } from '#policy/ledger/keys.ts';
import type { AccountingRecord, FlowUsage, FlowUsageRecord, Meter } from '#policy/ledger/types.ts';
import { usageWindows } from '#policy/time.ts';
import { runs } from '#test/support/effort.ts';
import { createWal } from './appliers.ts';
import { eve, neighbour, nonsense } from './histories.ts';
import {
  type Change,
  type Facts,
  ledgerOn,
  recordAt,
  type Store,
  storeForTest,
  tenantId,
  zone,
} from './ledger-under-test.ts';
import { shareOf } from './model.ts';

const noon = Date.UTC(2026, 2, 4, 12);
const quarter = 900_000;
const hour = 4 * quarter;
const day = 24 * hour;
const partition = partitionOf(tenantId, 7);
const flowMetered: Facts = { meter: 'flow', meterSinceMs: null };

for (const cluster of [false, true]) {
  t.test(cluster ? 'in a cluster of three primaries' : 'on a single server', async (t) => {
    t.setTimeout(600_000);
    const store = await storeForTest(t, { cluster });
    for (const [title, rule] of Object.entries(rules)) {
      await t.test(title, async (t) => rule(t, await history(t, store)));
    }
    for (const [title, property] of Object.entries(properties)) {
      await t.test(title, async (t) => {
        const quiet = { strictSame: (found: unknown, wanted: unknown, what: string) => same(found, wanted, what) };
        await property(() => ledgerOn(quiet, store), cluster ? runs(5, 400) : runs(15, 1250));
        t.pass('holds');
      });
    }
  });
}

async function history(t: Test, store: Store) {
  const isp = await ledgerOn(t, store);
  const at = (ms: number, change: Change, facts?: Facts) => isp.apply(recordAt(noon + ms, change), facts);
  const flow = (ms: number, upBytes: number, downBytes: number, subscriptionId = 7): FlowUsage => ({
    ...{ tenantId, subscriptionId, slotFromMs: noon + ms, upBytes, downBytes },
  });
  const flows = (...entries: FlowUsage[]) => isp.applyFlow(entries, noon);
  return { ...isp, at, flow, flows };
}
type History = Awaited<ReturnType<typeof history>>;

const rules: Record<string, (t: Test, isp: History) => Promise<void>> = {
  'flows of a subscription that flow counts add up in its windows, RADIUS counts nothing': async (t, isp) => {
    await isp.at(0, { kind: 'start' }, flowMetered);
    const interim = { kind: 'interim', sessionTimeS: 1800, upOctets: 5, downOctets: 50 } as const;
    t.match(await isp.at(2 * quarter, interim, flowMetered), { flags: ['other_meter'] });
    t.strictSame(await isp.flows(isp.flow(0, 10, 100), isp.flow(quarter, 1, 2)), {
      ...{ kind: 'applied', crossed: false, flags: [] },
    });
    const { all, day, week, month } = await isp.usage(noon);
    for (const count of [all, day, week, month]) t.strictSame(count, { upBytes: 11, downBytes: 102 });
    t.match(await isp.sessions(), [{ upBytes: 5, downBytes: 50 }], 'the session has what RADIUS says');
    const entries = await isp.outbox();
    t.match(
      entries.map(({ meter, kind, part, downDelta, flags }) => [meter, kind, part, downDelta, flags.join()]),
      [
        ['radius', 'start', 0, 0, ''],
        ['radius', 'interim', 0, 0, 'other_meter'],
        ['flow', 'flow', 0, 100, ''],
        ['flow', 'flow', 1, 2, ''],
      ],
    );
    t.match(entries[3], { fromMs: noon + quarter, eventAtMs: noon + 2 * quarter, receivedAtMs: noon, state: '' });
  },

  'flows of a subscription that RADIUS counts, or nobody told of, count nothing': async (t, isp) => {
    await isp.at(0, { kind: 'start' });
    t.strictSame(await isp.flows(isp.flow(0, 10, 100), isp.flow(0, 1, 1)), {
      ...{ kind: 'applied', crossed: false, flags: ['other_meter'] },
    });
    await isp.setMeter('flow', null, neighbour);
    t.match(await isp.flows(isp.flow(0, 10, 100, neighbour)), { flags: ['no_facts'] });
    t.strictSame((await isp.usage(noon)).all, { upBytes: 0, downBytes: 0 });
    t.strictSame((await isp.usage(noon, neighbour)).all, { upBytes: 0, downBytes: 0 });
    t.equal((await isp.outbox()).length, 4);
  },

  'a switch parts the bytes at its quarter of an hour, and nothing counts twice': async (t, isp) => {
    const switched: Facts = { meter: 'flow', meterSinceMs: noon + hour };
    await isp.at(0, { kind: 'start' });
    await isp.setMeter('flow', noon + hour);
    const interim = { kind: 'interim', sessionTimeS: 7200, upOctets: 800, downOctets: 8001 } as const;
    t.match(await isp.at(2 * hour, interim), { flags: ['other_meter'] }, 'also when the caller does not know yet');
    t.strictSame((await isp.usage(noon)).day, { upBytes: 400, downBytes: 4000 });
    t.match(await isp.flows(isp.flow(hour - quarter, 7, 7), isp.flow(hour, 3, 5)), { flags: ['other_meter'] });
    t.strictSame((await isp.usage(noon)).day, { upBytes: 403, downBytes: 4005 });
    await isp.at(3 * hour, { kind: 'stop', sessionTimeS: 10_800, upOctets: 900, downOctets: 9000 }, switched);
    t.strictSame((await isp.usage(noon)).day, { upBytes: 403, downBytes: 4005 });
    const deltas = (await isp.outbox()).map(({ upDelta, upTotal }) => [upDelta, upTotal]);
    t.strictSame(deltas, [
      [0, 0],
      [400, 800],
      [0, 0],
      [3, 0],
      [0, 900],
    ]);
  },

  'a switch back leaves the time between to the other meter, whoever tells it first': async (t, isp) => {
    const back: Facts = { meter: 'radius', meterSinceMs: noon + 26 * hour };
    const there: Facts = { meter: 'flow', meterSinceMs: noon + hour };
    await isp.at(0, { kind: 'start' });
    await isp.setMeter('radius', noon + 26 * hour);
    await isp.setMeter('flow', noon + hour);
    const whole = { kind: 'interim', sessionTimeS: 27 * 3600, upOctets: 0, downOctets: 27_000 } as const;
    await isp.at(27 * hour, whole, back);
    t.equal((await isp.usage(noon)).all.downBytes, 2000, 'one hour before and one after');
    t.match(await isp.flows(isp.flow(26 * hour - quarter, 0, 30), isp.flow(26 * hour, 0, 1), isp.flow(0, 0, 1)), {
      flags: ['other_meter'],
    });
    t.equal((await isp.usage(noon)).all.downBytes, 2030);
    await isp.at(28 * hour, { ...whole, sessionTimeS: 28 * 3600, downOctets: 28_000 }, there);
    t.equal((await isp.usage(noon)).all.downBytes, 3030, 'a caller that lags changes nothing');
  },

  'a slot lies in the window before, the newest known, or the one behind it; older ones count for all time': async (
    t,
    isp,
  ) => {
    await isp.at(0, { kind: 'start' }, flowMetered);
    for (const days of [-9, -2, -1, 0, 1])
      await isp.flows(isp.flow(days * day, 0, 10 ** (2 + days + (days < -2 ? 7 : 0))));
    const dayOf = async (days: number) => (await isp.usage(noon + days * day)).day.downBytes;
    t.strictSame(await Promise.all([-2, -1, 0, 1].map(dayOf)), [0, 10, 100, 1000]);
    t.equal((await isp.usage(noon)).all.downBytes, 1112);
    t.equal((await isp.usage(noon)).month.downBytes, 1111, 'the month before ended earlier');
  },

  'late accounting does not move the windows back': async (t, isp) => {
    await isp.at(day, { kind: 'start' }, flowMetered);
    await isp.at(0, { kind: 'start', sessionId: 'late' }, flowMetered);
    await isp.flows(isp.flow(day, 1, 1));
    t.equal((await isp.usage(noon + day)).day.upBytes, 1);
    t.equal((await isp.usage(noon)).day.upBytes, 0);
  },

  'a threshold that flows reach is crossed once': async (t, isp) => {
    const limit = { window: 'day', direction: 'total', bytes: 1000 } as const;
    await isp.at(0, { kind: 'start' }, { ...flowMetered, thresholds: [limit] });
    t.match(await isp.flows(isp.flow(0, 400, 599)), { crossed: false });
    t.match(await isp.flows(isp.flow(0, 0, 1), isp.flow(quarter, 5, 5)), { crossed: true });
    t.match(await isp.flows(isp.flow(0, 500, 500)), { crossed: false });
    t.strictSame(await isp.events(), ['opened', 'crossed']);
    t.match(await isp.flows(isp.flow(day, 0, 1000)), { crossed: true }, 'the next day has its own');
  },

  'a position at or before the stored one is a duplicate, a hole is a gap': async (t, isp) => {
    await isp.at(0, { kind: 'start' }, flowMetered);
    const record = { partition, receivedAtMs: noon, entries: [isp.flow(0, 1, 1)] };
    const call = (previous: number, position: number) => ({
      ...{ lane: { walId: 'x', previous, position, generation: 1 }, record },
    });
    t.match(await isp.ledger.applyFlow(call(0, 10)), { kind: 'applied' });
    t.strictSame(await isp.ledger.applyFlow(call(0, 10)), { kind: 'duplicate' });
    t.strictSame(await isp.ledger.applyFlow(call(5, 20)), { kind: 'gap', stored: 10 });
    t.equal((await isp.ledger.lanePositions('x'))[partition], 10);
    await t.rejects(isp.ledger.applyFlow(call(10, 10)), /lane position/);
  },

  'one entry that cannot be counted leaves the others alone': async (t, isp) => {
    for (const id of [7, neighbour])
      await isp.at(0, { kind: 'start', subscriptionId: id, sessionId: `s${id}` }, flowMetered);
    const most = Number.MAX_SAFE_INTEGER;
    t.match(await isp.flows(isp.flow(0, most, 1), isp.flow(0, 1, 1), isp.flow(0, 5, 5, neighbour)), {
      flags: ['counter_out_of_range'],
    });
    t.strictSame((await isp.usage(noon)).all, { upBytes: most, downBytes: 1 });
    t.strictSame((await isp.usage(noon, neighbour)).all, { upBytes: 5, downBytes: 5 });
    await isp.outbox();
  },

  'a batch that cannot be goes whole to the quarantine and its lane goes on': async (t, isp) => {
    await isp.at(0, { kind: 'start' }, flowMetered);
    const batches = [
      [],
      [isp.flow(1, 1, 1)],
      [isp.flow(0, 1, 1, 0)],
      Array.from({ length: 501 }, () => isp.flow(0, 1, 1)),
    ];
    for (const [index, entries] of batches.entries()) {
      const lane = { walId: 'x', previous: index, position: index + 1, generation: 1 };
      t.strictSame(await isp.ledger.applyFlow({ lane, record: { partition, receivedAtMs: noon, entries } }), {
        ...{ kind: 'quarantined', reason: 'invalid_flow_usage' },
      });
    }
    t.equal(await isp.redis.xlen(keys.quarantine(partition)), 4);
    t.equal((await isp.usage(noon)).all.upBytes, 0);
    const many = Array.from({ length: 500 }, (_, index) => isp.flow(quarter * (index % 4), 1, 2));
    t.match(await isp.flows(...many), { kind: 'applied' });
    t.strictSame((await isp.usage(noon)).day, { upBytes: 500, downBytes: 1000 });
  },

  'counters of windows long past are removed': async (t, isp) => {
    for (let days = 0; days < 60; days++) {
      await isp.at(days * day, { kind: 'interim', sessionTimeS: days * 86_400 }, flowMetered);
      await isp.flows(isp.flow(days * day, 1, 1));
    }
    const fields = await isp.redis.hkeys(keys.usage(partition, tenantId, 7));
    t.ok(fields.length <= 3 + 1 + 11 + 4 + 4, `${fields.length} fields`);
    t.equal((await isp.usage(noon + 59 * day)).all.upBytes, 60);
  },
};

const thresholds = windowKinds.flatMap((window) =>
  usageDirections.map((direction) => ({ window, direction, bytes: 10_000_000_000 })),
);

const bytes = fc.oneof(fc.nat({ max: 5000 }), fc.nat({ max: 8_000_000_000 }));
const flowEntry: fc.Arbitrary<FlowUsage> = fc.record({
  tenantId: fc.constant(tenantId),
  subscriptionId: fc.constantFrom(7, 7, neighbour),
  slotFromMs: fc.integer({ min: -300, max: 600 }).map((slot) => eve + slot * quarter),
  upBytes: bytes,
  downBytes: bytes,
});
const meterTold: fc.Arbitrary<{ meter: Meter; meterSinceMs: number | null }> = fc.constantFrom<
  { meter: Meter; meterSinceMs: number | null }[]
>(
  { meter: 'radius', meterSinceMs: null },
  { meter: 'flow', meterSinceMs: eve + 2 * day },
  { meter: 'radius', meterSinceMs: eve + 3 * day },
);

type Step =
  | {
      readonly kind: 'record';
      readonly record: AccountingRecord;
      readonly told: { meter: Meter; meterSinceMs: number | null };
    }
  | { readonly kind: 'flows'; readonly entries: readonly FlowUsage[] }
  | { readonly kind: 'meter'; readonly told: { meter: Meter; meterSinceMs: number | null } };

const steps: fc.Arbitrary<Step[]> = fc
  .tuple(
    nonsense,
    fc.array(fc.array(flowEntry, { minLength: 1, maxLength: 6 }), { maxLength: 12 }),
    fc.array(meterTold, { minLength: 1, maxLength: 40 }),
  )
  .chain(([records, batches, tellings]) => {
    const told = (index: number) => tellings[index % tellings.length]!;
    const all: Step[] = [
      ...records.map((record, index) => ({ kind: 'record' as const, record, told: told(index) })),
      ...batches.map((entries) => ({ kind: 'flows' as const, entries })),
      { kind: 'meter' as const, told: told(0) },
    ];
    return fc.shuffledSubarray(all, { minLength: all.length });
  });

/** One day in which everything happens, so that windows are the same whatever comes first. */
const oneDay = fc.record({
  reports: fc.array(fc.record({ minutes: fc.integer({ min: 1, max: 90 }), down: bytes }), {
    minLength: 1,
    maxLength: 8,
  }),
  flows: fc.array(fc.record({ slot: fc.nat({ max: 31 }), down: bytes }), { maxLength: 30 }),
  switchSlot: fc.nat({ max: 31 }),
  turns: fc.array(
    fc.record({ wal: fc.nat({ max: 2 }), count: fc.integer({ min: 1, max: 6 }), back: fc.nat({ max: 8 }) }),
  ),
});

type Open = () => ReturnType<typeof ledgerOn>;
const properties: Record<string, (open: Open, numRuns: number) => Promise<void>> = {
  'any mixture of records, flows and switches gives the answers, counters and entries of the model': (open, numRuns) =>
    fc.assert(
      fc.asyncProperty(steps, async (list) => {
        const isp = await open();
        for (const step of list) {
          if (step.kind === 'record') await isp.apply(step.record, { thresholds, ...step.told });
          else if (step.kind === 'meter') await isp.setMeter(step.told.meter, step.told.meterSinceMs);
          else for (const own of bySubscription(step.entries)) await isp.applyFlow(own, eve);
        }
        for (const id of [7, neighbour]) {
          for (let days = -4; days < 8; days++) await isp.usage(eve + days * day, id);
          await isp.sessions(id);
        }
        await isp.outbox();
      }),
      { numRuns: numRuns * 2 },
    ),

  'however lanes are mixed, repeated and set back, each byte counts once and a threshold is crossed once': (
    open,
    numRuns,
  ) =>
    fc.assert(
      fc.asyncProperty(oneDay, async ({ reports, flows, switchSlot, turns }) => {
        const isp = await open();
        const since = noon + switchSlot * quarter;
        const limit = 20_000_000_000;
        const facts: Facts = {
          ...{ meter: 'flow', meterSinceMs: since },
          thresholds: [{ window: 'day', direction: 'total', bytes: limit }],
        };
        const records = recordsOf(reports);
        const entries = flows.map(({ slot, down }) => ({
          ...{ tenantId, subscriptionId: 7, slotFromMs: noon + slot * quarter, upBytes: 0, downBytes: down },
        }));
        const batch = (own: readonly FlowUsage[]): FlowUsageRecord[] =>
          own.length > 0 ? [{ partition, receivedAtMs: noon, entries: own }] : [];
        const wals = [
          createWal('radius', records),
          createWal(
            'flow 0',
            entries.filter((_, index) => index % 2 === 0).flatMap((entry) => batch([entry])),
          ),
          createWal('flow 1', batch(entries.filter((_, index) => index % 2 === 1))),
        ];
        // Flows are attributed to sessions, so the first record of the session comes before them.
        await wals[0]!.advance(isp.ledger, partition, 1, facts);
        for (const { wal, count, back } of turns) {
          await wals[wal]!.advance(isp.ledger, partition, count, facts);
          wals[wal]!.rewind(partition, back);
        }
        for (const wal of wals) await wal.finish(isp.ledger, facts);

        let wanted = entries
          .filter(({ slotFromMs }) => slotFromMs >= since)
          .reduce((sum, { downBytes }) => sum + downBytes, 0);
        let had = { at: noon, down: 0n };
        for (const record of records.slice(1)) {
          const down = BigInt(record.downOctets!) + (BigInt(record.downGigawords!) << 32n);
          const before = { fromMs: 0, toMs: since };
          wanted += Number(shareOf(down - had.down, had.at, record.eventAtMs, before));
          had = { at: record.eventAtMs, down };
        }
        const found = await isp.ledger.usage(tenantId, 7, usageWindows(noon, zone, 1, 1));
        const count = { upBytes: 0, downBytes: wanted };
        same(found, { all: count, day: count, week: count, month: count }, 'usage');
        const crossings = (await isp.events()).filter((type) => type === 'crossed').length;
        same(crossings, wanted >= limit ? 1 : 0, 'crossings');
      }),
      { numRuns },
    ),
};

/** A Start at noon and reports with ever growing totals, all before midnight. */
function recordsOf(reports: readonly { minutes: number; down: number }[]): AccountingRecord[] {
  let [minutes, down] = [0, 0n];
  const made = [recordAt(noon, { kind: 'start' })];
  for (const report of reports) {
    if (minutes + report.minutes > 600) break;
    minutes += report.minutes;
    down += BigInt(report.down);
    const counters = { upOctets: 0, downOctets: Number(down % 2n ** 32n), downGigawords: Number(down >> 32n) };
    made.push(recordAt(noon + minutes * 60_000, { kind: 'interim', sessionTimeS: minutes * 60, ...counters }));
  }
  return made;
}

/** A batch is of one partition. */
function bySubscription(entries: readonly FlowUsage[]): FlowUsage[][] {
  return [...Map.groupBy(entries, ({ subscriptionId }) => partitionOf(tenantId, subscriptionId)).values()];
}

function same(found: unknown, wanted: unknown, what: string): void {
  const text = (value: unknown) =>
    JSON.stringify(value, (_, part: unknown) => (part instanceof Map ? [...part].sort() : sorted(part)));
  if (text(found) !== text(wanted)) throw new Error(`${what}: found ${text(found)}, wanted ${text(wanted)}`);
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

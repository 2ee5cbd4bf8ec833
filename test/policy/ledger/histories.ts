// Random histories of an access network: sessions with ever growing 64-bit counters, what they truly sent, and records without any sense.
import fc from 'fast-check';
import { partitionOf } from '#policy/ledger/keys.ts';
import type { AccountingRecord } from '#policy/ledger/types.ts';
import { recordAt, tenantId } from './ledger-under-test.ts';

/** Clocks go forward in Berlin, then the month ends. */
export const eve = Date.UTC(2026, 2, 28, 12);
export const span = { days: 6, ms: 6 * 86_400_000 };
export const subscribers = [7, 8, 9] as const;

export type Totals = ReadonlyMap<number, { up: bigint; down: bigint }>;
export type History = { readonly records: readonly AccountingRecord[]; readonly sent: Totals };

/** Another subscription of the partition of 7. */
export const neighbour = [...Array(1000).keys()].find(
  (id) => id > 7 && partitionOf(tenantId, id) === partitionOf(tenantId, 7),
)!;

type Step = { readonly seconds: number; readonly up: bigint; readonly down: bigint };

const bytes = fc.oneof(fc.bigInt(0n, 5000n), fc.bigInt(0n, 20_000_000_000n));
const step: fc.Arbitrary<Step> = fc.record({ seconds: fc.integer({ min: 61, max: 40_000 }), up: bytes, down: bytes });
const session = fc.record({
  subscriptionId: fc.constantFrom(...subscribers),
  sessionId: fc.constantFrom('a', 'b', 'c', 'd'),
  pauseS: fc.integer({ min: 1, max: 20_000 }),
  steps: fc.array(step, { minLength: 1, maxLength: 6 }),
  startLost: fc.boolean(),
  stopLost: fc.boolean(),
});

/** In the order of events. Session ids are used again; each login has its Class. */
export const histories: fc.Arbitrary<History> = fc.array(session, { minLength: 1, maxLength: 6 }).map((drawn) => {
  const sent = new Map<number, { up: bigint; down: bigint }>();
  const clocks = new Map<string, number>();
  const records = drawn.flatMap(({ subscriptionId, sessionId, pauseS, steps, startLost, stopLost }, index) => {
    const name = `${subscriptionId} ${sessionId}`;
    const startS = (clocks.get(name) ?? 0) + pauseS;
    const classUuid = String(index + 1).padStart(32, '0');
    const common = { subscriptionId, sessionId: `${sessionId}${subscriptionId}`, classUuid };
    const made: AccountingRecord[] = startLost ? [] : [recordAt(eve + startS * 1000, { kind: 'start', ...common })];
    let [up, down, seconds] = [0n, 0n, 0];
    for (const [at, more] of steps.entries()) {
      up += more.up;
      down += more.down;
      seconds += more.seconds;
      const kind = at === steps.length - 1 && !stopLost ? 'stop' : 'interim';
      const counters = {
        ...{ upOctets: Number(up % 2n ** 32n), upGigawords: Number(up >> 32n) },
        ...{ downOctets: Number(down % 2n ** 32n), downGigawords: Number(down >> 32n) },
      };
      made.push(recordAt(eve + (startS + seconds) * 1000, { kind, ...common, sessionTimeS: seconds, ...counters }));
    }
    clocks.set(name, startS + seconds);
    const had = sent.get(subscriptionId) ?? { up: 0n, down: 0n };
    sent.set(subscriptionId, { up: had.up + up, down: had.down + down });
    return made;
  });
  return { records: records.sort((a, b) => a.eventAtMs - b.eventAtMs), sent };
});

/** All records in any order, some more than once. */
export const shuffled = histories.chain(({ records, sent }) =>
  fc
    .tuple(
      fc.shuffledSubarray([...records], { minLength: records.length }),
      fc.array(fc.constantFrom(...records), { maxLength: 5 }),
    )
    .map(([all, again]) => ({ records: [...all, ...again], sent })),
);

/** In the order of events, told by a clock that is set to and fro: by so much ahead from record to record. */
export const jumping = fc
  .tuple(histories, fc.array(fc.tuple(fc.nat(20), fc.integer({ min: -100_000, max: 100_000 })), { maxLength: 4 }))
  .map(([{ records, sent }, sets]) => {
    let aheadMs = 0;
    const told = records.map((record, index) => {
      for (const [at, seconds] of sets) if (at === index) aheadMs = seconds * 1000;
      const eventAtMs = record.eventAtMs + aheadMs;
      return { ...record, eventAtMs, receivedAtMs: eventAtMs };
    });
    return { records: told, sent };
  });

const octets = fc.option(fc.constantFrom(0, 1, 1000, 1_000_000, 4_000_000_000, 4_294_967_295));
const gigawords = fc.option(fc.constantFrom(0, 1, 2, 2 ** 21), { freq: 1 });

/** Whatever a network may send: gaps, resets, wraps, boots, clocks out of step. */
export const nonsense = fc.array(
  fc
    .record({
      kind: fc.constantFrom('start', 'interim', 'interim', 'interim', 'stop', 'on', 'off'),
      atS: fc.oneof(fc.integer({ min: 0, max: 600 }), fc.integer({ min: 0, max: 400_000 })),
      sessionId: fc.constantFrom('a', 'b'),
      subscriptionId: fc.constantFrom(7, 7, 7, neighbour),
      classUuid: fc.constantFrom('', '', 'a'.repeat(32), 'b'.repeat(32)),
      sessionTimeS: fc.option(fc.oneof(fc.integer({ min: 0, max: 700 }), fc.integer({ min: 0, max: 500_000 }))),
      ...{ upOctets: octets, downOctets: octets, upGigawords: gigawords, downGigawords: gigawords },
    })
    .map(({ atS, ...change }) => recordAt(eve + atS * 1000, change)),
  { minLength: 1, maxLength: 25 },
);

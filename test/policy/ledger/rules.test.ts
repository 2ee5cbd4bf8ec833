// Every rule of ops/docs/ledger.md, told as a short history, on a single server and on a cluster. The model must agree with each answer.
import t, { type Test } from 'tap';
import { isAway } from '#ops/lanes/away.ts';
import { noUsage } from '#policy/fup/usage.ts';
import { createEnforcementLedger } from '#policy/ledger/enforcement.ts';
import { keys, partitionOf } from '#policy/ledger/keys.ts';
import { usageWindows } from '#policy/time.ts';
import {
  type Change,
  callOf,
  type Facts,
  ledgerOn,
  recordAt,
  type Store,
  storeForTest,
  tenantId,
  zone,
} from './ledger-under-test.ts';

const noon = Date.UTC(2026, 2, 4, 12);
const s = 1000;
const minute = 60 * s;
const hour = 60 * minute;
const day = 24 * hour;
const partition = partitionOf(tenantId, 7);
const uuidA = 'a'.repeat(32);
const uuidB = 'b'.repeat(32);

for (const cluster of [false, true]) {
  t.test(cluster ? 'in a cluster of three primaries' : 'on a single server', async (t) => {
    const store = await storeForTest(t, { cluster });
    for (const [title, rule] of Object.entries(rules)) {
      await t.test(title, async (t) => {
        await rule(t, await history(t, store));
      });
    }
  });
}

/** Records at seconds after noon. */
async function history(t: Test, store: Store) {
  const isp = await ledgerOn(t, store);
  const at = (seconds: number, change: Change, facts?: Facts) => isp.apply(recordAt(noon + seconds * s, change), facts);
  const bytes = (up: number, down: number) => ({ upOctets: up, downOctets: down });
  return { ...isp, at, bytes, state: (field: string) => isp.redis.hget(isp.sessionKey(), field) };
}
type History = Awaited<ReturnType<typeof history>>;

const rules: Record<string, (t: Test, isp: History) => Promise<void>> = {
  'a start, interims and a stop count every byte once': async (t, isp) => {
    await isp.at(0, { kind: 'start' });
    await isp.at(300, { kind: 'interim', sessionTimeS: 300, ...isp.bytes(100, 1000) });
    t.equal((await isp.sessions()).length, 1);
    await isp.at(600, { kind: 'stop', sessionTimeS: 600, ...isp.bytes(150, 1700), terminateCause: '1' });
    t.equal(await isp.state('tcause'), '1');
    t.strictSame((await isp.usage(noon)).day, { upBytes: 150, downBytes: 1700 });
    t.strictSame(await isp.sessions(), []);
    t.strictSame(await isp.events(), ['opened']);
  },

  'enforcement sees counters, profile and open sessions of many subscriptions as each alone': async (t, isp) => {
    const enforcement = createEnforcementLedger(isp.redis, 'node');
    const windows = usageWindows(noon, zone, 1, 1);
    const toLedger = async (seconds: number, change: Change) =>
      isp.ledger.apply(callOf(recordAt(noon + seconds * s, change), await nextOf(isp)));
    for (let i = 0; i < 3; i++) {
      await toLedger(0, { kind: 'start', sessionId: `s${i}` });
      await toLedger(60, { kind: 'interim', sessionId: `s${i}`, sessionTimeS: 60, ...isp.bytes(1, 10) });
    }
    await toLedger(90, { kind: 'stop', sessionId: 's1', sessionTimeS: 90, ...isp.bytes(1, 10) });
    const profile = {
      ...{ tenantId, subscriptionId: 7, fupSpeed: null, fupBlocked: true, fupUntilMs: null },
      ...{ heldOutcome: null, decidedAtMs: noon },
    };
    const claim = await enforcement.claim(partition, '', {
      ...{ leaseMs: 60_000, crossings: 0, count: 0, visibilityMs: 1, again: true, nowMs: noon },
    });
    t.ok(claim);
    if (claim) await enforcement.publishProfile(claim.lease, profile);

    const who = (subscriptionId: number) => ({ tenantId, subscriptionId });
    const others = Array.from({ length: 40 }, (_, i) => i + 100);
    const [found, ...strangers] = await Promise.all([7, ...others].map((id) => enforcement.look(who(id), windows)));
    t.strictSame(found?.usage, await isp.ledger.usage(tenantId, 7, windows));
    t.strictSame(found?.usage.day, { upBytes: 3, downBytes: 30 });
    t.strictSame(found?.sessions, await isp.ledger.sessionsOf(tenantId, 7));
    t.strictSame(
      found?.sessions.map(({ sessionId }) => sessionId),
      ['s0', 's2'],
    );
    t.strictSame(found?.lastProfile, profile);
    for (const stranger of strangers) t.strictSame(stranger, { usage: noUsage, lastProfile: null, sessions: [] });
  },

  'a position at or before the stored one is a duplicate, a hole is a gap': async (t, isp) => {
    const record = recordAt(noon, { kind: 'interim', ...isp.bytes(5, 5) });
    const call = (previous: number, position: number, walId = 'w') =>
      callOf(record, { walId, previous, position, generation: 1 });
    t.equal((await isp.both(call(0, 10))).kind, 'applied');
    t.strictSame(await isp.both(call(0, 10)), { kind: 'duplicate' });
    t.strictSame(await isp.both(call(3, 5)), { kind: 'duplicate' });
    t.strictSame(await isp.both(call(20, 30)), { kind: 'gap', stored: 10 });
    t.strictSame(await isp.both(call(20, 30, 'other')), { kind: 'gap', stored: 0 });
    t.equal((await isp.both(call(10, 30))).kind, 'applied');
    t.equal((await isp.both(call(0, 7, 'other'))).kind, 'applied', 'another WAL has its own lane');
    t.equal((await isp.ledger.lanePositions('w'))[partition], 30);
    t.equal((await isp.ledger.lanePositions('w')).length, 64);
  },

  'a lane position that is no position is an error and writes nothing': async (t, isp) => {
    const record = recordAt(noon, { kind: 'interim', ...isp.bytes(5, 5) });
    for (const lane of [
      { previous: 10, position: 10 },
      { previous: -1, position: 10 },
      { previous: 0, position: 2 ** 54 },
    ]) {
      await t.rejects(isp.ledger.apply(callOf(record, { walId: 'w', generation: 1, ...lane })), /lane position/);
    }
    const windows = { day: [], week: [], month: [] };
    await t.rejects(
      isp.ledger.apply({ ...callOf(record, { walId: 'w', previous: 0, position: 9, generation: 1 }), windows }),
      /window/,
    );
    t.strictSame(await keysOf(isp), []);
  },

  'a number that cannot be goes to the quarantine by its name, and the lane goes on': async (t, isp) => {
    const wrong = recordAt(noon, { kind: 'interim', sessionTimeS: 2 ** 33, userName: 'whole', upOctets: 5 });
    const lane = { walId: 'w', previous: 0, position: 10, generation: 1 };
    t.strictSame(await isp.ledger.apply(callOf(wrong, lane)), { kind: 'quarantined', reason: 'invalid_st' });
    const [entry] = await isp.redis.xrange(keys.quarantine(partition), '-', '+');
    const told = entry![1].join(' ');
    for (const text of ['invalid st=8589934592', 'user whole', 'upoct 5', `event ${noon}`])
      t.ok(told.includes(text), text);
    t.equal((await isp.ledger.lanePositions('w'))[partition], 10);
    const negative = recordAt(-5, { kind: 'interim' });
    const next = { walId: 'w', previous: 10, position: 20, generation: 1 };
    const windows = callOf(wrong, lane).windows;
    t.match(await isp.ledger.apply({ ...callOf(wrong, next), record: negative, windows }), { reason: 'invalid_event' });
  },

  'records that come at once share calls and have their own answers': async (t, isp) => {
    const at = (seconds: number, position: number) => {
      const record = recordAt(noon + seconds * s, { kind: 'interim', sessionTimeS: seconds, ...isp.bytes(seconds, 0) });
      return callOf(record, { walId: 'w', previous: position - 10, position, generation: 1 });
    };
    const calls = Array.from({ length: 40 }, (_, index) => at(index + 1, (index + 1) * 10));
    const answers = await Promise.all(calls.map((call) => isp.ledger.apply(call)));
    t.ok(answers.every(({ kind }) => kind === 'applied'));
    for (const call of calls) isp.model.apply(call);
    t.equal((await isp.usage(noon)).day.upBytes, 40);
    await isp.outbox();
    const broken = { ...at(42, 420), windows: { day: [], week: [], month: [] } };
    const mixed = [at(41, 410), broken, at(43, 430), at(40, 400)].map((call) => isp.ledger.apply(call));
    const [applied, failed, behind, again] = await Promise.allSettled(mixed);
    t.match(applied, { value: { kind: 'applied' } });
    t.match(failed, { reason: /last window/ });
    t.notOk(isAway((failed as PromiseRejectedResult).reason), 'its lane waits, the ledger is not away');
    t.match(behind, { value: { kind: 'gap', stored: 410 } });
    t.match(again, { value: { kind: 'duplicate' } });
  },

  'windows that do not reach back to the last event are asked for': async (t, isp) => {
    const late = recordAt(noon + 3 * day, { kind: 'interim', sessionTimeS: (3 * day) / s, ...isp.bytes(0, 288_000) });
    const call = callOf(late, { walId: 'w', previous: 0, position: 10, generation: 1 });
    t.strictSame(await isp.ledger.apply(call), { kind: 'need_windows', sinceMs: noon });
    t.strictSame(await keysOf(isp), []);
    await isp.both(call);
    t.equal((await isp.usage(noon)).day.downBytes, 44_000, 'eleven hours');
    t.equal((await isp.usage(noon + day)).day.downBytes, 96_000);
    t.equal((await isp.usage(noon + day)).all.downBytes, 288_000);
  },

  'of a session of many months only the last weeks lie in windows': async (t, isp) => {
    const months = 100 * day;
    await isp.at(0, { kind: 'interim', sessionTimeS: months / s, ...isp.bytes(0, 960_000) });
    const { all, month } = await isp.usage(noon);
    t.equal(all.downBytes, 960_000);
    t.equal(month.downBytes, 34_000, 'of three days and thirteen hours');
  },

  'missing counters are not zero': async (t, isp) => {
    await isp.at(0, { kind: 'start' });
    await isp.at(300, { kind: 'interim', sessionTimeS: 300, ...isp.bytes(100, 1000) });
    await isp.at(600, { kind: 'interim', sessionTimeS: 600 });
    await isp.at(700, { kind: 'interim', sessionTimeS: 700, upOctets: 110 });
    t.strictSame((await isp.usage(noon)).day, { upBytes: 110, downBytes: 1000 });
    await isp.at(900, { kind: 'stop', sessionTimeS: 900 });
    t.strictSame((await isp.usage(noon)).day, { upBytes: 110, downBytes: 1000 });
  },

  'gigawords compose 64-bit totals': async (t, isp) => {
    await isp.at(0, { kind: 'start' });
    const large = { upGigawords: 0, downGigawords: 2, ...isp.bytes(7, 1_500_000_000) };
    await isp.at(3600, { kind: 'interim', sessionTimeS: 3600, ...large });
    t.strictSame((await isp.usage(noon)).day, { upBytes: 7, downBytes: 2 * 2 ** 32 + 1_500_000_000 });
  },

  'a counter beyond the 53rd bit goes whole to the quarantine': async (t, isp) => {
    const huge = { sessionTimeS: 1, upOctets: 0xffffffff, upGigawords: 0xffffffff, downOctets: 1 };
    const answer = await isp.at(0, { kind: 'interim', ...huge });
    t.strictSame(answer, { kind: 'quarantined', reason: 'counter_out_of_range' });
    const [entry] = await isp.redis.xrange(keys.quarantine(partition), '-', '+');
    t.ok(entry?.[1].join(' ').includes('upoct 4294967295'), 'with its counters');
    await isp.at(10, { kind: 'interim', sessionTimeS: 10, upOctets: 0xffffffff, upGigawords: 2 ** 21 - 1 });
    t.equal((await isp.usage(noon)).all.upBytes, Number.MAX_SAFE_INTEGER, 'the largest counts');
    const other = { kind: 'interim', sessionId: 'b', sessionTimeS: 10, upOctets: 1 } as const;
    t.strictSame(await isp.at(20, other), { kind: 'quarantined', reason: 'counter_out_of_range' });
    t.equal((await isp.usage(noon)).all.upBytes, Number.MAX_SAFE_INTEGER, 'sums stay below it too');
  },

  'values above 10^15 are neither rounded nor cut': async (t, isp) => {
    const bytes = 9_007_199_254_740_881;
    const octets = { downOctets: bytes % 2 ** 32, downGigawords: Math.floor(bytes / 2 ** 32) };
    await isp.at(0, { kind: 'interim', sessionTimeS: 7, ...octets });
    t.equal((await isp.usage(noon)).month.downBytes, bytes);
    t.equal((await isp.sessions())[0]?.downBytes, bytes);
  },

  'an absent gigaword after one that was not zero is missing': async (t, isp) => {
    await isp.at(0, { kind: 'start' });
    await isp.at(300, { kind: 'interim', sessionTimeS: 300, downOctets: 5, downGigawords: 1, upOctets: 1 });
    const answer = await isp.at(600, { kind: 'interim', sessionTimeS: 600, ...isp.bytes(2, 9) });
    t.strictSame(answer, { kind: 'applied', crossed: false, flags: ['gigaword_missing'] });
    t.strictSame((await isp.usage(noon)).day, { upBytes: 2, downBytes: 2 ** 32 + 5 });
    await isp.at(900, { kind: 'interim', sessionTimeS: 900, downOctets: 10, downGigawords: 1 });
    t.equal((await isp.usage(noon)).day.downBytes, 2 ** 32 + 10);
  },

  'a 32-bit counter that got smaller has wrapped when the plan can explain it': async (t, isp) => {
    await isp.at(0, { kind: 'start' });
    await isp.at(3600, { kind: 'interim', sessionTimeS: 3600, ...isp.bytes(0, 4_000_000_000) });
    const wrap = await isp.at(3900, { kind: 'interim', sessionTimeS: 3900, ...isp.bytes(0, 100_000_000) });
    t.match(wrap, { flags: ['wrap'] });
    t.equal((await isp.usage(noon)).day.downBytes, 2 ** 32 + 100_000_000);
    await isp.at(3700, { kind: 'interim', sessionTimeS: 3700, ...isp.bytes(0, 4_100_000_000) });
    t.equal((await isp.usage(noon)).day.downBytes, 2 ** 32 + 100_000_000, 'what was before the wrap adds nothing');
  },

  'a 32-bit counter that got smaller otherwise was reset, and never goes down': async (t, isp) => {
    await isp.at(0, { kind: 'start' });
    await isp.at(3600, { kind: 'interim', sessionTimeS: 3600, ...isp.bytes(10, 1_000_000_000) });
    const reset = await isp.at(3660, { kind: 'interim', sessionTimeS: 3660, ...isp.bytes(20, 5000) });
    t.match(reset, { flags: ['reset'] });
    await isp.at(3720, { kind: 'interim', sessionTimeS: 3720, ...isp.bytes(30, 6000) });
    t.strictSame((await isp.usage(noon)).day, { upBytes: 30, downBytes: 1_000_006_000 });
  },

  'a 64-bit counter that got smaller later was reset, never wrapped': async (t, isp) => {
    await isp.at(0, { kind: 'start' });
    const words = { upGigawords: 0, downGigawords: 0 };
    await isp.at(3600, { kind: 'interim', sessionTimeS: 3600, ...words, ...isp.bytes(0, 4_200_000_000) });
    t.match(await isp.at(3900, { kind: 'interim', sessionTimeS: 3900, ...words, ...isp.bytes(0, 50) }), {
      flags: ['reset'],
    });
    t.equal((await isp.usage(noon)).day.downBytes, 4_200_000_050);
  },

  'more than the plan can carry is counted in full and flagged': async (t, isp) => {
    await isp.at(0, { kind: 'start' });
    const much = { downOctets: 2_000_000_000, downGigawords: 2 };
    t.match(await isp.at(60, { kind: 'interim', sessionTimeS: 60, ...much }), { flags: ['implausible'] });
    t.equal((await isp.usage(noon)).day.downBytes, 2 * 2 ** 32 + 2_000_000_000);
  },

  'a record that comes late changes no total and moves no instant': async (t, isp) => {
    await isp.at(0, { kind: 'start' });
    await isp.at(600, { kind: 'interim', sessionTimeS: 600, ...isp.bytes(60, 600) });
    t.match(await isp.at(300, { kind: 'interim', sessionTimeS: 300, ...isp.bytes(30, 300) }), { flags: ['late'] });
    t.strictSame((await isp.usage(noon)).day, { upBytes: 60, downBytes: 600 });
    t.equal((await isp.sessions())[0]?.lastEventAtMs, noon + 600 * s);
  },

  'without a start all bytes count, since event minus Session-Time': async (t, isp) => {
    const lost = await isp.at(0, { kind: 'interim', sessionTimeS: 1800, ...isp.bytes(18, 180) });
    t.match(lost, { flags: ['lost_start'] });
    t.equal((await isp.sessions())[0]?.startedAtMs, noon - 30 * minute);
    t.strictSame((await isp.usage(noon)).day, { upBytes: 18, downBytes: 180 });
    t.strictSame(await isp.events(), ['opened']);
    await isp.at(-1790, { kind: 'start' });
    t.equal((await isp.sessions())[0]?.startedAtMs, noon - 1790 * s, 'a late start tells exactly');
  },

  'Session-Time 0 or absent is borne': async (t, isp) => {
    for (const sessionTimeS of [0, null]) {
      const sessionId = `time ${sessionTimeS}`;
      for (const step of [1, 2, 3]) {
        await isp.at(step * 300, { kind: 'interim', sessionId, sessionTimeS, ...isp.bytes(step, step * 10) });
      }
      await isp.at(1000, { kind: 'stop', sessionId, sessionTimeS, ...isp.bytes(4, 40) });
    }
    t.strictSame((await isp.usage(noon)).day, { upBytes: 8, downBytes: 80 });
    t.strictSame(await isp.sessions(), []);
  },

  'a session in flight when its NAS was adopted begins at a baseline': async (t, isp) => {
    const adopted = { adoptedAtMs: noon - hour };
    const first = await isp.at(0, { kind: 'interim', sessionTimeS: 7200, ...isp.bytes(1000, 9000) }, adopted);
    t.match(first, { flags: ['lost_start', 'baseline'] });
    await isp.at(300, { kind: 'interim', sessionTimeS: 7500, ...isp.bytes(1010, 9100) }, adopted);
    t.strictSame((await isp.usage(noon)).all, { upBytes: 10, downBytes: 100 });
    t.equal((await isp.sessions())[0]?.downBytes, 9100);
    const since = { kind: 'interim', sessionId: 'b', sessionTimeS: 1800, ...isp.bytes(1, 2) } as const;
    await isp.at(0, since, adopted);
    t.strictSame((await isp.usage(noon)).all, { upBytes: 11, downBytes: 102 }, 'one that began later counts whole');
  },

  'an unknown session older than seven days goes to the quarantine': async (t, isp) => {
    const old = { kind: 'stop', eventAtMs: noon - 7 * day - s, receivedAtMs: noon, ...isp.bytes(1, 1) } as const;
    t.strictSame(await isp.at(0, old), { kind: 'quarantined', reason: 'too_old' });
    t.equal((await isp.at(0, { ...old, eventAtMs: noon - 7 * day + s })).kind, 'applied');
  },

  'a start after the stop with another Class opens a new incarnation': async (t, isp) => {
    await isp.at(0, { kind: 'start', classUuid: uuidA });
    await isp.at(300, { kind: 'stop', classUuid: uuidA, sessionTimeS: 300, ...isp.bytes(1, 1000) });
    await isp.at(301, { kind: 'start', classUuid: uuidB });
    await isp.at(330, { kind: 'interim', classUuid: uuidB, sessionTimeS: 29, ...isp.bytes(2, 20) });
    t.strictSame((await isp.usage(noon)).day, { upBytes: 3, downBytes: 1020 });
    t.equal((await isp.sessions())[0]?.incarnation, 2);
    t.strictSame(await isp.events(), ['opened', 'opened']);
  },

  'a start after the stop with the same Class is a repeat': async (t, isp) => {
    await isp.at(0, { kind: 'start', classUuid: uuidA });
    await isp.at(300, { kind: 'stop', classUuid: uuidA, sessionTimeS: 300, ...isp.bytes(1, 1000) });
    await isp.at(400, { kind: 'start', classUuid: uuidA });
    t.strictSame(await isp.sessions(), []);
    t.equal(await isp.state('inc'), '1');
  },

  'without Class a start opens a new incarnation when it is more than two seconds later': async (t, isp) => {
    await isp.at(0, { kind: 'start' });
    await isp.at(300, { kind: 'stop', sessionTimeS: 300, ...isp.bytes(1, 1000) });
    await isp.at(302, { kind: 'start' });
    t.strictSame(await isp.sessions(), [], 'two seconds: a repeat');
    await isp.at(303, { kind: 'start' });
    t.equal((await isp.sessions())[0]?.incarnation, 2);
  },

  'a repeated start changes nothing': async (t, isp) => {
    await isp.at(0, { kind: 'start', ...isp.bytes(0, 0) });
    await isp.at(20, { kind: 'start', ...isp.bytes(0, 0) });
    await isp.at(300, { kind: 'interim', sessionTimeS: 300, ...isp.bytes(5, 5) });
    await isp.at(0, { kind: 'start', ...isp.bytes(0, 0) });
    t.equal((await isp.sessions())[0]?.startedAtMs, noon);
    t.strictSame((await isp.usage(noon)).day, { upBytes: 5, downBytes: 5 });
    t.strictSame(await isp.events(), ['opened']);
  },

  'when event time and Session-Time disagree by more than a minute there are two incarnations, whichever came first':
    async (t, isp) => {
      const earlier = { kind: 'interim', sessionTimeS: 3600, ...isp.bytes(36, 3600) } as const;
      const later = { kind: 'interim', sessionTimeS: 120, ...isp.bytes(2, 20) } as const;
      await isp.at(0, earlier);
      await isp.at(300, later);
      t.strictSame((await isp.usage(noon)).day, { upBytes: 38, downBytes: 3620 });
      t.equal((await isp.sessions())[0]?.downBytes, 20);
      await isp.at(300, { ...later, sessionId: 'b' });
      await isp.at(0, { ...earlier, sessionId: 'b' });
      t.strictSame((await isp.usage(noon)).day, { upBytes: 76, downBytes: 7240 });
      t.strictSame(new Set((await isp.sessions()).map(({ downBytes }) => downBytes)), new Set([20]));
    },

  'a clock that was set back makes no other session of the same login': async (t, isp) => {
    const at = (seconds: number, sessionTimeS: number) =>
      isp.at(seconds, { kind: 'interim', classUuid: uuidA, sessionTimeS, ...isp.bytes(sessionTimeS, 0) });
    await isp.at(-1000, { kind: 'on', sessionId: '' });
    await isp.at(0, { kind: 'start', classUuid: uuidA });
    await at(600, 600);
    t.match(await at(900 - 3600, 900), { flags: ['late'] });
    await at(1200 - 3600, 1200);
    await at(1500, 1500);
    t.equal((await isp.usage(noon)).all.upBytes, 1500);
    t.equal((await isp.sessions())[0]?.incarnation, 1);
    await isp.at(1800 - 3600, { kind: 'stop', classUuid: uuidA, sessionTimeS: 1800, ...isp.bytes(1800, 0) });
    t.equal((await isp.usage(noon)).all.upBytes, 1800);
    t.strictSame(await isp.sessions(), []);
  },

  'of one login whose counters began anew each record goes to its own incarnation': async (t, isp) => {
    const at = (seconds: number, sessionTimeS: number, up: number) =>
      isp.at(seconds, { kind: 'interim', classUuid: uuidA, sessionTimeS, ...isp.bytes(up, 0) });
    await isp.at(0, { kind: 'start', classUuid: uuidB });
    await isp.at(50, { kind: 'stop', classUuid: uuidB, sessionTimeS: 50, ...isp.bytes(5, 0) });
    await isp.at(100, { kind: 'start', classUuid: uuidA });
    await at(700, 600, 60);
    await at(1000, 60, 6);
    await at(900, 800, 80);
    await at(1100, 160, 16);
    t.equal((await isp.usage(noon)).all.upBytes, 5 + 80 + 16);
    t.equal((await isp.sessions())[0]?.incarnation, 3);
  },

  'without Class an event within the life of a session is its own, however its clock was set': async (t, isp) => {
    await isp.at(0, { kind: 'start' });
    await isp.at(7200, { kind: 'interim', sessionTimeS: 7200, ...isp.bytes(72, 0) });
    await isp.at(7500 - 3600, { kind: 'interim', sessionTimeS: 7500, ...isp.bytes(75, 0) });
    t.equal((await isp.usage(noon)).all.upBytes, 75);
    await isp.at(-3600, { kind: 'stop', sessionTimeS: 7800, ...isp.bytes(78, 0) });
    t.equal(
      (await isp.usage(noon)).all.upBytes,
      75 + 78,
      'one before it began is taken for that of an earlier session',
    );
  },

  'a disagreement of a minute or less is one session out of step': async (t, isp) => {
    await isp.at(0, { kind: 'interim', sessionTimeS: 600, ...isp.bytes(6, 600) });
    await isp.at(30, { kind: 'interim', sessionTimeS: 580, ...isp.bytes(5, 580) });
    t.strictSame((await isp.usage(noon)).day, { upBytes: 6, downBytes: 600 });
    t.equal(await isp.state('inc'), '1');
  },

  'a record of an earlier incarnation adds to its tombstone': async (t, isp) => {
    await isp.at(0, { kind: 'start', classUuid: uuidA });
    await isp.at(600, { kind: 'interim', classUuid: uuidA, sessionTimeS: 600, ...isp.bytes(6, 60) });
    await isp.at(2000, { kind: 'start', classUuid: uuidB });
    await isp.at(2300, { kind: 'interim', classUuid: uuidB, sessionTimeS: 300, ...isp.bytes(1, 10) });
    await isp.at(1900, { kind: 'stop', classUuid: uuidA, sessionTimeS: 1900, ...isp.bytes(19, 190) });
    t.strictSame((await isp.usage(noon)).day, { upBytes: 20, downBytes: 200 });
    t.equal((await isp.sessions())[0]?.downBytes, 10);
    t.strictSame(await isp.events(), ['opened', 'opened']);
  },

  'an interim after the stop adds to the tombstone and does not reopen': async (t, isp) => {
    await isp.at(0, { kind: 'start' });
    await isp.at(300, { kind: 'stop', sessionTimeS: 300, ...isp.bytes(3, 30) });
    const after = await isp.at(330, { kind: 'interim', sessionTimeS: 330, ...isp.bytes(4, 40) });
    t.match(after, { flags: ['after_stop'] });
    t.strictSame((await isp.usage(noon)).day, { upBytes: 4, downBytes: 40 });
    t.strictSame(await isp.sessions(), []);
  },

  'an interim after the stop reopens when the Disconnect had failed': async (t, isp) => {
    const toLedger = async (seconds: number, change: Change) =>
      isp.ledger.apply(callOf(recordAt(noon + seconds * s, change), await nextOf(isp)));
    for (const [sent, cause, reopened] of [
      ['disconnect', 'timeout', true],
      ['reject:hold_admin', '404', true],
      ['reject:hold_admin', '', false],
      ['throttle:2000000/2000000:fup', 'timeout', false],
    ] as const) {
      const sessionId = `${sent} ${cause}`;
      await toLedger(0, { kind: 'start', sessionId });
      await isp.redis.hset(isp.sessionKey(sessionId), { sent, cause });
      await toLedger(300, { kind: 'stop', sessionId, sessionTimeS: 300 });
      await toLedger(600, { kind: 'interim', sessionId, sessionTimeS: 600, ...isp.bytes(6, 60) });
      const online = await isp.ledger.sessionsOf(tenantId, 7);
      t.equal(
        online.some((session) => session.sessionId === sessionId),
        reopened,
        sessionId,
      );
      t.equal((await isp.redis.pttl(isp.sessionKey(sessionId))) < 0, reopened, 'only a closed one expires');
    }
  },

  'accounting-on closes older sessions at their last event': async (t, isp) => {
    await isp.at(0, { kind: 'start' });
    await isp.at(300, { kind: 'interim', sessionTimeS: 300, ...isp.bytes(3, 30) });
    await isp.at(0, { kind: 'start', sessionId: 'elsewhere', nasInstance: '2' });
    for (let i = 0; i < 130; i++) await isp.at(i, { kind: 'start', sessionId: `many ${i}` });
    await isp.at(400, { kind: 'on', sessionId: '' });
    t.equal((await isp.sessions()).length, 1, 'only the one of the other NAS is open');
    t.equal(await isp.state('stop'), String(noon + 300 * s));
    t.equal(await isp.redis.zcard(keys.liveOfNas(partition, '1')), 0);
    t.equal(await isp.redis.zcard(keys.live(partition)), 1);
  },

  'a record from before a boot belongs to the incarnation before it': async (t, isp) => {
    await isp.at(0, { kind: 'start' });
    await isp.at(300, { kind: 'interim', sessionTimeS: 300, ...isp.bytes(3, 30) });
    await isp.at(1000, { kind: 'off', sessionId: '' });
    await isp.at(1100, { kind: 'on', sessionId: '' });
    await isp.at(1200, { kind: 'interim', ...isp.bytes(1, 10) });
    await isp.at(900, { kind: 'interim', ...isp.bytes(9, 90) });
    t.strictSame((await isp.usage(noon)).day, { upBytes: 10, downBytes: 100 });
    t.equal((await isp.sessions())[0]?.downBytes, 10);
  },

  'a late record from before the boot counts and does not reopen': async (t, isp) => {
    await isp.at(0, { kind: 'start' });
    await isp.at(300, { kind: 'interim', sessionTimeS: 300, ...isp.bytes(3, 30) });
    await isp.at(1000, { kind: 'on', sessionId: '' });
    await isp.at(900, { kind: 'interim', sessionTimeS: 900, ...isp.bytes(9, 90) });
    t.strictSame((await isp.usage(noon)).day, { upBytes: 9, downBytes: 90 });
    t.strictSame(await isp.sessions(), []);
    t.equal(await isp.state('stop'), String(noon + 900 * s));
  },

  'a tombstone that learns its Class is found by it': async (t, isp) => {
    await isp.at(0, { kind: 'interim', sessionTimeS: 600, ...isp.bytes(6, 60) });
    await isp.at(2000, { kind: 'start', classUuid: uuidB });
    await isp.at(100, { kind: 'interim', classUuid: uuidA, sessionTimeS: 700, ...isp.bytes(7, 70) });
    await isp.at(2100, { kind: 'stop', classUuid: uuidA, ...isp.bytes(8, 80) });
    t.strictSame((await isp.usage(noon)).day, { upBytes: 8, downBytes: 80 });
    t.equal((await isp.sessions())[0]?.downBytes, 0);
  },

  'a boot that is heard of late still parts what came before and after it': async (t, isp) => {
    await isp.at(300, { kind: 'interim', ...isp.bytes(3, 30) });
    await isp.at(1000, { kind: 'on', sessionId: '' });
    await isp.at(1050, { kind: 'stop', ...isp.bytes(1, 10) });
    await isp.at(400, { kind: 'stop', ...isp.bytes(4, 40) });
    t.strictSame((await isp.usage(noon)).day, { upBytes: 5, downBytes: 50 });
  },

  'a session that goes on through a boot by its own Session-Time stays one': async (t, isp) => {
    await isp.at(0, { kind: 'start' });
    await isp.at(300, { kind: 'interim', sessionTimeS: 300, ...isp.bytes(3, 30) });
    await isp.at(400, { kind: 'on', sessionId: '' });
    t.match(await isp.at(600, { kind: 'interim', sessionTimeS: 600, ...isp.bytes(6, 60) }), { flags: ['reopened'] });
    t.strictSame((await isp.usage(noon)).day, { upBytes: 6, downBytes: 60 });
    t.equal((await isp.sessions())[0]?.incarnation, 1);
  },

  'an unknown user is kept whole and counts for nobody': async (t, isp) => {
    const record = recordAt(noon, { kind: 'interim', subscriptionId: 0, userName: 'who', ...isp.bytes(5, 50) });
    t.equal((await isp.apply(record)).kind, 'applied');
    const { sessions } = await isp.ledger.listSessions(tenantId, { limit: 10, search: 'WHO' });
    t.match(sessions, [{ subscriptionId: 0, upBytes: 5, downBytes: 50, userName: 'who' }]);
    t.strictSame(await isp.redis.exists(keys.usage(record.partition, tenantId, 0)), 0);
    t.equal(await isp.redis.exists(keys.enforce(record.partition)), 0);
  },

  "a session is its subscription's: the same id of another one is another session": async (t, isp) => {
    await isp.at(0, { kind: 'interim', ...isp.bytes(1, 10) });
    const other = { kind: 'interim', subscriptionId: 8, partition, ...isp.bytes(2, 20) } as const;
    await isp.at(300, other);
    t.strictSame((await isp.usage(noon)).day, { upBytes: 1, downBytes: 10 });
    t.equal(await isp.state('sub'), '8');
    t.strictSame(await isp.sessions(), []);
  },

  'bytes are split over midnight by time, and the rest goes to the last quarter': async (t, isp) => {
    const midnight = Date.UTC(2026, 2, 31, 22);
    await isp.apply(recordAt(midnight - 20 * minute, { kind: 'start' }));
    const later = { kind: 'interim', sessionTimeS: 2400, ...isp.bytes(0, 1001) } as const;
    await isp.apply(recordAt(midnight + 20 * minute, later));
    t.equal((await isp.usage(midnight - 1)).day.downBytes, 500);
    t.equal((await isp.usage(midnight)).day.downBytes, 501);
    t.equal((await isp.usage(midnight - 1)).month.downBytes, 500, 'the month ended too');
    t.equal((await isp.usage(midnight)).month.downBytes, 501);
    t.equal((await isp.usage(midnight)).week.downBytes, 1001);
  },

  'an event exactly at midnight gives the day before its bytes': async (t, isp) => {
    const midnight = Date.UTC(2026, 2, 4, 23);
    await isp.apply(recordAt(midnight - 25 * minute, { kind: 'start' }));
    await isp.apply(recordAt(midnight, { kind: 'interim', sessionTimeS: 1500, ...isp.bytes(0, 1001) }));
    t.equal((await isp.usage(midnight - 1)).day.downBytes, 1001);
    t.equal((await isp.usage(midnight)).day.downBytes, 0);
  },

  'usage exactly at the threshold crosses it, once': async (t, isp) => {
    const facts: Facts = { thresholds: [{ window: 'day', direction: 'total', bytes: 1000 }] };
    const step = (seconds: number, up: number, down: number) =>
      isp.at(seconds, { kind: 'interim', sessionTimeS: seconds, ...isp.bytes(up, down) }, facts);
    t.match(await step(60, 400, 599), { crossed: false });
    t.match(await step(120, 400, 600), { crossed: true });
    t.match(await step(180, 500, 900), { crossed: false });
    t.strictSame(await isp.events(), ['opened', 'crossed']);
    const up: Facts = { thresholds: [{ window: 'month', direction: 'up', bytes: 600 }] };
    t.match(await isp.at(240, { kind: 'interim', sessionTimeS: 240, ...isp.bytes(600, 900) }, up), { crossed: true });
  },

  'counters of windows long past are removed': async (t, isp) => {
    for (let days = 0; days < 100; days++) {
      await isp.apply(
        recordAt(noon + days * day, {
          kind: 'interim',
          sessionTimeS: days * 86_400 + 60,
          ...isp.bytes(0, 100 * (days + 1)),
        }),
      );
    }
    const fields = await isp.redis.hkeys(keys.usage(partition, tenantId, 7));
    t.ok(fields.length <= 3 + 1 + 11 + 4 + 4, `${fields.length} fields`);
    t.equal((await isp.usage(noon + 99 * day)).all.downBytes, 10_000);
  },

  'every key of a closed session expires after more than seven days': async (t, isp) => {
    for (let round = 0; round < 12; round++) {
      const classUuid = String(round).padStart(32, '0');
      await isp.at(round * 1000, { kind: 'start', classUuid });
      await isp.at(round * 1000 + 500, { kind: 'stop', classUuid, sessionTimeS: 500, ...isp.bytes(1, 1) });
    }
    const kept = (await keysOf(isp)).filter((key) => /^(ses|old|\{sid)/.test(key));
    t.equal(kept.length, 10, 'the last, eight tombstones and the directory entry');
    for (const key of kept) t.ok((await isp.redis.pttl(key)) > 8 * day, key);
    const left = (await keysOf(isp)).filter((key) => /^(live|subses)/.test(key));
    t.strictSame(left, []);
    t.strictSame((await isp.usage(noon)).all, { upBytes: 12, downBytes: 12 });
  },

  'a session that said nothing for a month is closed when another opens': async (t, isp) => {
    await isp.at(0, { kind: 'start', sessionId: 'silent' });
    const much = recordAt(noon + 31 * day, { kind: 'start', sessionId: 'new' });
    await isp.ledger.apply(callOf(much, await nextOf(isp)));
    t.equal(await isp.redis.hget(isp.sessionKey('silent'), 'why'), 'silent');
    t.strictSame(
      (await isp.ledger.sessionsOf(tenantId, 7)).map(({ sessionId }) => sessionId),
      ['new'],
    );
  },

  'the directory finds the partition of a running session, whatever comes late': async (t, isp) => {
    t.equal(await isp.ledger.lookupSession('1', 'a'), undefined);
    await isp.at(0, { kind: 'start', classUuid: uuidA });
    t.strictSame(await isp.ledger.lookupSession('1', 'a'), { partition, tenantId, subscriptionId: 7 });
    await isp.at(600, { kind: 'stop', classUuid: uuidA, sessionTimeS: 600 });
    t.equal(await isp.ledger.lookupSession('1', 'a'), undefined);
    await isp.at(600, { kind: 'interim', sessionTimeS: 600 });
    t.equal(await isp.ledger.lookupSession('1', 'a'), undefined, 'closed wins ties');
    await isp.at(700, { kind: 'start', classUuid: uuidB });
    await isp.at(500, { kind: 'interim', classUuid: uuidA, sessionTimeS: 500 });
    t.ok(await isp.ledger.lookupSession('1', 'a'), 'an earlier incarnation says nothing');
    t.strictSame(isp.problems, []);
  },

  'online sessions come in pages, each once, of the own tenant only': async (t, isp) => {
    for (let i = 0; i < 25; i++) {
      await isp.at(i % 3, { kind: 'start', sessionId: `s${i}`, subscriptionId: i % 5, userName: `user${i}` });
      await isp.at(i % 3, { kind: 'start', sessionId: `s${i}`, tenantId: 2, nasInstance: '9', userName: `user${i}` });
    }
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await isp.ledger.listSessions(tenantId, { limit: 4, cursor });
      t.ok(page.sessions.length <= 4);
      seen.push(...page.sessions.map(({ sessionId }) => sessionId));
      cursor = page.nextCursor ?? undefined;
    } while (cursor);
    t.equal(seen.length, 25);
    t.equal(new Set(seen).size, 25);
    const found = await isp.ledger.listSessions(tenantId, { limit: 10, search: 'USER17' });
    t.strictSame(
      found.sessions.map(({ sessionId }) => sessionId),
      ['s17'],
    );
    t.strictSame((await isp.ledger.listSessions(3, { limit: 10, cursor: 'nonsense' })).sessions, []);
  },

  'functions that are missing are loaded by the call that misses them': async (t, isp) => {
    for (const primary of isp.primaries()) await primary.function('FLUSH');
    const calls = [0, 1, 2].map((i) =>
      callOf(recordAt(noon, { kind: 'start', sessionId: `s${i}` }), {
        walId: 'w',
        previous: i,
        position: i + 1,
        generation: 1,
      }),
    );
    const answers = await Promise.all(calls.map((call) => isp.ledger.apply(call)));
    t.ok(answers.every(({ kind }) => kind === 'applied'));
  },
};

async function nextOf(isp: History) {
  const previous = (await isp.ledger.lanePositions('w'))[partition]!;
  return { walId: 'w', previous, position: previous + 10, generation: 1 };
}

async function keysOf(isp: History): Promise<string[]> {
  const found = await Promise.all(isp.primaries().map((primary) => primary.keys('*')));
  return found.flat().sort();
}

// Applying the log to a ledger in memory that loses calls, runs calls whose answer is lost, and goes back in time.
import { appendFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { accountingWork } from '#aaa-server/accounting/apply.ts';
import { createOwnerOf } from '#aaa-server/accounting/owner.ts';
import { encodeRecord } from '#aaa-server/accounting/record.ts';
import { isAway } from '#ops/lanes/away.ts';
import { createBreaker } from '#ops/lanes/breaker.ts';
import { settle } from '#ops/lanes/lanes.ts';
import { createOrphans } from '#ops/lanes/orphans.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { openWal } from '#ops/wal/wal.ts';
import { partitionOf } from '#policy/ledger/keys.ts';
import type { AccountingCall } from '#policy/ledger/types.ts';
import { until } from '#test/support/wait.ts';
import { type Accounting, openAccounting } from './accounting.ts';
import { createMemoryLedger, type MemoryLedger } from './memory-ledger.ts';
import { metricOf, newMetrics, noonMs, plainCalls, recordOf, silent } from './records.ts';

type Test = { teardown(handler: () => unknown): unknown };

function rootOf(t: Test): string {
  const root = mkdtempSync(path.join(tmpdir(), 'lastmile-applier-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

type Changes = Partial<Parameters<typeof openAccounting>[0]>;

async function accountingOf(folder: string, ledger: MemoryLedger, changes: Changes = {}) {
  const metrics = newMetrics();
  const events: number[] = [];
  const accounting = await openAccounting({
    folder,
    ledger,
    calls: plainCalls,
    metrics,
    log: silent,
    onEvents: (partitions) => events.push(...partitions),
    ...changes,
  });
  return { accounting, metrics, events };
}

const applied = (accounting: Accounting) => until(() => accounting.applier.idle(), 'everything is applied', 10_000);

/** Session and total of every record, in the order of each partition. */
function perPartition(list: readonly { partition: number; upOctets: number | null }[]): Map<number, number[]> {
  const found = new Map<number, number[]>();
  for (const { partition, upOctets } of list) found.set(partition, [...(found.get(partition) ?? []), upOctets ?? 0]);
  return new Map([...found].sort(([a], [b]) => a - b));
}

t.test('every record is applied once, in the order of its lane, whatever the ledger does', async (t) => {
  const root = rootOf(t);
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 120 }),
      fc.array(fc.constantFrom(undefined, undefined, undefined, 'lost', 'ran', 'older', 'restart', 'copy'), {
        maxLength: 60,
      }),
      fc.constantFrom(3, 16, 256),
      async (subscriptions, faults, batch) => {
        const folder = path.join(root, `node-${run++}`);
        const ledger = createMemoryLedger();
        let restore = ledger.copy();
        let restart = false;
        const script = [...faults];
        ledger.fault = () => {
          const next = script.shift();
          if (next === 'older') restore();
          if (next === 'copy') restore = ledger.copy();
          if (next === 'restart') restart = true;
          return next === 'lost' || next === 'ran' ? next : undefined;
        };
        const options = { batch, checkMs: 20 };
        let { accounting } = await accountingOf(folder, ledger, options);
        await accounting.start();
        const records = subscriptions.map((id, i) => recordOf(id, { upOctets: i }));
        for (const [index, record] of records.entries()) {
          await accounting.append(record);
          if (!restart && index !== records.length >> 1) continue;
          restart = false;
          await accounting.stop();
          accounting = (await accountingOf(folder, ledger, options)).accounting;
          await accounting.start();
        }
        await until(() => script.length === 0 || accounting.applier.idle(), 'the faults are over', 10_000);
        script.length = 0;
        // An older state may also come after the last record: the check finds it.
        restore();
        await until(
          () => accounting.applier.idle() && ledger.applied.length === records.length,
          () => `all is applied: ${ledger.applied.length} of ${records.length}`,
          10_000,
        );
        await accounting.stop();
        t.strictSame(perPartition(ledger.applied), perPartition(records));
        t.equal(ledger.sameGeneration, 0, 'what was applied again had a greater generation');
      },
    ),
    { numRuns: 30 },
  );
});

t.test('a start goes on from where it stopped and reads nothing twice', async (t) => {
  const folder = path.join(rootOf(t), 'node-0');
  const ledger = createMemoryLedger();
  const first = await accountingOf(folder, ledger);
  await first.accounting.start();
  for (let i = 0; i < 50; i++) await first.accounting.append(recordOf(i));
  await applied(first.accounting);
  await first.accounting.stop();
  let calls = 0;
  ledger.fault = () => {
    calls++;
    return undefined;
  };
  const second = await accountingOf(folder, ledger);
  await second.accounting.start();
  await second.accounting.append(recordOf(50));
  await applied(second.accounting);
  await second.accounting.stop();
  t.equal(calls, 1);
  t.equal(ledger.applied.length, 51);
  writeFileSync(path.join(folder, 'applied.json'), '{"cursor":12');
  const third = await accountingOf(folder, ledger);
  await third.accounting.start();
  await applied(third.accounting);
  await third.accounting.stop();
  t.equal(calls, 1, 'also without the file: the ledger says what it has');
});

t.test('the generation grows with every start, also when the clock went back', async (t) => {
  const folder = path.join(rootOf(t), 'node-0');
  const ledger = createMemoryLedger();
  const seen: number[] = [];
  ledger.fault = ({ lane }) => {
    seen.push(lane.generation);
    return undefined;
  };
  for (const nowMs of [noonMs, noonMs - 60_000, noonMs + 60_000]) {
    const clock = { nowMs: () => nowMs, monotonicMs: () => performance.now() };
    const { accounting } = await accountingOf(folder, ledger, { clock });
    await accounting.append(recordOf(1));
    await accounting.start();
    await applied(accounting);
    await accounting.append(recordOf(1));
    await applied(accounting);
    await accounting.stop();
  }
  t.strictSame(seen, [noonMs, noonMs, noonMs + 1, noonMs + 1, noonMs + 60_000, noonMs + 60_000]);
});

t.test('the ledger gets the windows it asks for, and the lane goes on behind the record', async (t) => {
  const ledger = createMemoryLedger();
  const { accounting } = await accountingOf(path.join(rootOf(t), 'node-0'), ledger);
  const sinceMs = noonMs - 5 * 86_400_000;
  const asked: AccountingCall[] = [];
  ledger.answer = (call) => {
    if (call.record.upOctets !== 3) return undefined;
    asked.push(call);
    return call.windows.day.length > 2 ? undefined : { kind: 'need_windows', sinceMs };
  };
  await accounting.start();
  for (let i = 0; i < 8; i++) await accounting.append(recordOf(1, { upOctets: i }));
  await applied(accounting);
  await accounting.stop();
  t.strictSame(
    ledger.applied.map(({ upOctets }) => upOctets),
    [0, 1, 2, 3, 4, 5, 6, 7],
  );
  t.ok(asked.at(-1)!.windows.day[0]!.fromMs <= sinceMs);
});

t.test('a record the ledger does not take stops its lane, not the others, and nothing is skipped', async (t) => {
  const ledger = createMemoryLedger();
  const { accounting, metrics } = await accountingOf(path.join(rootOf(t), 'node-0'), ledger);
  const broken = Object.assign(new Error('ERR user_script:1: attempt to index a nil value'), { name: 'ReplyError' });
  ledger.fault = ({ record }) => (record.sessionId === 's1' && record.upOctets === 2 ? broken : undefined);
  await accounting.start();
  for (let i = 0; i < 5; i++) await accounting.append(recordOf(1, { upOctets: i }));
  for (let i = 0; i < 5; i++) await accounting.append(recordOf(2, { upOctets: i }));
  const of = (id: number) => ledger.applied.filter(({ sessionId }) => sessionId === `s${id}`).map((a) => a.upOctets);
  await until(() => of(2).length === 5, 'the other lane is applied');
  t.strictSame(of(1), [0, 1]);
  t.notOk(accounting.applier.idle());
  await until(async () => (await metricOf(metrics.alarms, { reason: 'lane_stopped' })) === 1, 'the alarm is raised');
  t.equal(await metricOf(metrics.paused), 0);
  ledger.fault = () => undefined;
  await applied(accounting);
  await accounting.stop();
  t.strictSame(of(1), [0, 1, 2, 3, 4]);
});

t.test('a quarantined record is counted and passed', async (t) => {
  const ledger = createMemoryLedger();
  const { accounting, metrics } = await accountingOf(path.join(rootOf(t), 'node-0'), ledger);
  ledger.answer = ({ record }) => (record.upOctets === 1 ? { kind: 'quarantined', reason: 'too_old' } : undefined);
  await accounting.start();
  for (let i = 0; i < 3; i++) await accounting.append(recordOf(1, { upOctets: i }));
  await applied(accounting);
  await accounting.stop();
  t.equal(ledger.applied.length, 2);
  t.equal(await metricOf(metrics.results, { result: 'quarantined' }), 1);
});

t.test('while the ledger is away records are kept, and enforcement is told when they are counted', async (t) => {
  const ledger = createMemoryLedger();
  const said: string[] = [];
  const log = createLogger('test', 'silent');
  const say: typeof log.info = (_: unknown, ...rest: unknown[]) => void said.push(String(rest[0]));
  log.info = say;
  log.warn = say;
  const { accounting, metrics, events } = await accountingOf(path.join(rootOf(t), 'node-0'), ledger, { log });
  let away = true;
  const loading = Object.assign(new Error('LOADING Redis is loading the dataset in memory'), { name: 'ReplyError' });
  const { lanePositions } = ledger;
  ledger.lanePositions = (walId) => (away ? Promise.reject(loading) : lanePositions(walId));
  ledger.fault = () => (away ? loading : undefined);
  await accounting.start();
  for (let i = 0; i < 20; i++) await accounting.append(recordOf(i, { kind: 'start' }));
  await until(async () => (await metricOf(metrics.paused)) === 1, 'applying pauses');
  t.equal(ledger.applied.length, 0);
  t.strictSame(said, [], 'a short pause is nothing to tell');
  await until(() => said.length > 0, 'the outage is told');
  away = false;
  await applied(accounting);
  await accounting.stop();
  t.strictSame(said, ['applying pauses until the ledger answers', 'applying goes on']);
  t.equal(ledger.applied.length, 20);
  t.strictSame(
    [...new Set(events)].sort(),
    [...new Set(Array.from({ length: 20 }, (_, i) => partitionOf(1, i)))].sort(),
  );
  t.equal(await metricOf(metrics.paused), 0);
});

t.test('nothing is applied before the snapshot of subscribers is complete', async (t) => {
  const ledger = createMemoryLedger();
  let ready = false;
  const calls = { ...plainCalls, ready: () => ready };
  const { accounting } = await accountingOf(path.join(rootOf(t), 'node-0'), ledger, { calls });
  let asked = 0;
  const { lanePositions } = ledger;
  ledger.lanePositions = (walId) => {
    asked++;
    return lanePositions(walId);
  };
  await accounting.start();
  await accounting.append(recordOf(1));
  t.equal(asked, 0);
  ready = true;
  await applied(accounting);
  await accounting.stop();
  t.equal(ledger.applied.length, 1);
});

t.test('a record without Class counts where its session runs, else for the owner of the user name', async (t) => {
  const ledger = createMemoryLedger();
  const { accounting } = await accountingOf(path.join(rootOf(t), 'node-0'), ledger);
  ledger.directory.set('1\nrunning', { partition: 13, subscriptionId: 0 });
  const without = (sessionId: string) => recordOf(7, { classUuid: '', sessionId });
  await accounting.start();
  await accounting.append(without('running'));
  await accounting.append(without('new'));
  await accounting.append(recordOf(7, { sessionId: 'running' }));
  await applied(accounting);
  await accounting.stop();
  t.strictSame(
    ledger.applied.map(({ partition }) => partition).sort(),
    [13, partitionOf(1, 7), partitionOf(1, 7)].sort(),
  );
});

t.test('the owner of a session is asked for once, until it stops or the access server restarts', async (t) => {
  let asked = 0;
  const owner = createOwnerOf(async () => {
    asked++;
    return undefined;
  }, 2);
  const without = (sessionId: string, kind: 'start' | 'interim' | 'stop' | 'on' = 'interim') =>
    recordOf(7, { classUuid: '', sessionId, kind });
  await owner.resolve(without('a', 'start'));
  await owner.resolve(without('a'));
  t.equal(asked, 1);
  await owner.resolve(without('a', 'stop'));
  await owner.resolve(without('a', 'start'));
  t.equal(asked, 2);
  await owner.resolve(without('', 'on'));
  await owner.resolve(without('a'));
  t.equal(asked, 3);
  await owner.resolve(without('b'));
  await owner.resolve(without('c'));
  await owner.resolve(without('a'));
  t.equal(asked, 6, 'the memory is bounded');
});

t.test('a lost ledger is counted into only where the log reaches back, until it is brought back', async (t) => {
  const folder = path.join(rootOf(t), 'node-0');
  const ledger = createMemoryLedger();
  const nothing = ledger.copy();
  const small = { segmentBytes: 2000, checkMs: 20 };
  const first = await accountingOf(folder, ledger, small);
  await first.accounting.start();
  for (let i = 0; i < 60; i++) {
    await first.accounting.append(recordOf(i % 3, { upOctets: i }));
    await applied(first.accounting);
  }
  nothing();
  await until(() => ledger.applied.length === 60, 'everything is applied again from the first record');
  await first.accounting.stop();
  const whole = ledger.copy();
  const segments = readdirSync(folder).filter((name) => name.endsWith('.wal'));
  t.ok(segments.length > 3);
  rmSync(path.join(folder, segments[0]!));

  const { accounting, metrics } = await accountingOf(folder, ledger, small);
  await accounting.start();
  await applied(accounting);
  nothing();
  for (let i = 60; i < 90; i++) await accounting.append(recordOf(i % 3, { upOctets: i }));
  await until(async () => (await metricOf(metrics.alarms, { reason: 'ledger_lost' })) === 1, 'the alarm is raised');
  await until(async () => (await metricOf(metrics.stoppedLanes)) === 3, 'all lanes stop');
  t.strictSame(ledger.applied, []);
  t.equal(accounting.applier.passed(), 0, 'nothing of the log may go');
  await accounting.stop();

  const { accounting: again, metrics: later } = await accountingOf(folder, ledger, small);
  await again.start();
  await until(async () => (await metricOf(later.alarms, { reason: 'ledger_lost' })) === 1, 'after a restart too');
  t.strictSame(ledger.applied, []);
  whole();
  await applied(again);
  await again.stop();
  const counted = ledger.applied.slice(60).map(({ upOctets }) => upOctets);
  t.strictSame(
    counted.sort((a, b) => a - b),
    Array.from({ length: 30 }, (_, i) => 60 + i),
    'each once',
  );
});

t.test('a damaged record is skipped, counted and the rest is applied', async (t) => {
  const folder = path.join(rootOf(t), 'node-0');
  const wal = await openWal({ folder });
  await wal.append(encodeRecord(recordOf(1)));
  await wal.append(Buffer.from('no record at all'));
  await wal.append(encodeRecord(recordOf(2)));
  await wal.close();
  const [segment] = readdirSync(folder).filter((name) => name.endsWith('.wal'));
  appendFileSync(path.join(folder, segment!), 'torn');
  const ledger = createMemoryLedger();
  const { accounting, metrics } = await accountingOf(folder, ledger);
  await accounting.start();
  await applied(accounting);
  await accounting.stop();
  t.equal(ledger.applied.length, 2);
  t.equal(await metricOf(metrics.damaged, { kind: 'torn_tail' }), 1);
  t.equal(await metricOf(metrics.damaged, { kind: 'version' }), 1);
});

t.test('a log from a backup moves behind what the ledger has, and nothing received meanwhile is lost', async (t) => {
  const root = rootOf(t);
  const ledger = createMemoryLedger();
  const before = await accountingOf(path.join(root, 'a', 'node-0'), ledger);
  await before.accounting.start();
  for (let i = 0; i < 30; i++) await before.accounting.append(recordOf(i % 3, { upOctets: i }));
  await applied(before.accounting);
  await before.accounting.stop();
  const after = await accountingOf(path.join(root, 'b', 'node-0'), ledger);
  for (let i = 30; i < 40; i++) await after.accounting.append(recordOf(i % 3, { upOctets: i }));
  await after.accounting.start();
  await until(() => ledger.applied.length === 40, 'all are applied');
  await after.accounting.append(recordOf(1, { upOctets: 40 }));
  await until(() => ledger.applied.length === 41, 'new ones too');
  await after.accounting.stop();
  t.equal(await metricOf(after.metrics.alarms, { reason: 'wal_behind_ledger' }), 1);
  t.strictSame(
    ledger.applied.map(({ upOctets }) => upOctets).sort((a, b) => a - b),
    Array.from({ length: 41 }, (_, i) => i),
  );
});

t.test('the logs of workers that are gone are applied, those in use are left alone', async (t) => {
  const root = rootOf(t);
  for (const [index, name] of ['node-0', 'node-1', 'other-0'].entries()) {
    const wal = await openWal({ folder: path.join(root, name) });
    await wal.append(encodeRecord(recordOf(index)));
    await wal.close();
  }
  const ledger = createMemoryLedger();
  const used = await openWal({ folder: path.join(root, 'other-0') });
  const work = () => accountingWork({ ledger, calls: plainCalls });
  const options = { work, metrics: newMetrics(), log: silent, onEvents: () => {} };
  const orphans = createOrphans({ ...options, root, workers: new Set(['node-0']) });
  await orphans.start();
  await until(() => orphans.idle(), 'the adopted logs are applied');
  t.strictSame(orphans.adopted(), ['node-1']);
  await orphans.stop();
  await used.close();
  await orphans.start();
  await until(() => orphans.idle(), 'the other one too');
  await orphans.stop();
  t.strictSame(
    ledger.applied.map(({ walId }) => walId),
    ['node-1', 'other-0'],
  );
});

t.test('what the answers of a lane mean', async (t) => {
  const at = (position: number, previous: number) => ({ record: recordOf(1), position, previous });
  const sent = [at(10, 5), at(20, 10), at(30, 20)];
  const done = { kind: 'applied', crossed: false, flags: [] } as const;
  const lost = { kind: 'failed', error: new Error('lost') } as const;
  t.strictSame(settle(sent, [done, { kind: 'duplicate' }, done]), { applied: 30, rewind: false });
  t.strictSame(settle(sent, [{ kind: 'gap', stored: 2 }, done, done]), { applied: 2, rewind: true });
  t.match(settle(sent, [done, lost, done]), { applied: 10, rewind: false, waits: { at: { position: 20 } } });
  t.match(settle(sent, [{ kind: 'gap', stored: 5 }]), { applied: 5, rewind: false, waits: { at: { position: 10 } } });
});

t.test('the breaker pauses longer with every failure and needs calm to forget', async (t) => {
  const breaker = createBreaker(() => 0.5);
  t.equal(breaker.limit(256), 256);
  t.strictSame([breaker.failed(), breaker.failed(), breaker.failed()], [50, 100, 200]);
  t.equal(breaker.limit(256), 16);
  breaker.succeeded();
  t.equal(breaker.limit(256), 32);
  t.equal(breaker.failed(), 400, 'one success is not enough');
  for (let i = 0; i < 20; i++) breaker.failed();
  t.equal(breaker.failed(), 2000);
  for (let i = 0; i < 8; i++) breaker.succeeded();
  t.equal(breaker.limit(256), 256);
  t.equal(breaker.failed(), 50);
});

t.test('a store that cannot answer is told from a record it refuses', async (t) => {
  const reply = (message: string) => Object.assign(new Error(message), { name: 'ReplyError' });
  for (const word of ['LOADING x', 'READONLY x', 'OOM x', 'MISCONF x', 'BUSY x', 'CLUSTERDOWN x'])
    t.ok(isAway(reply(word)));
  t.ok(isAway(new Error('Command timed out')));
  t.notOk(isAway(reply('ERR user_script:1: bad argument')));
  t.notOk(isAway(reply('WRONGTYPE Operation against a key')));
});

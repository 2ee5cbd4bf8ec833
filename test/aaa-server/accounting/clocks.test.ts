// Clocks that are wrong while sessions run, ours and those of devices: from the packet over the log to the counters in a real Redis.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { createCallMaker } from '#aaa-server/accounting/call.ts';
import { attribute, firstAttribute, octetsAt } from '#aaa-server/wire/attributes.ts';
import { createPacketBuilder } from '#aaa-server/wire/encode.ts';
import { code } from '#aaa-server/wire/packet.ts';
import { sendTogether } from '#ops/stores/redis-together.ts';
import { keys, partitionOf } from '#policy/ledger/keys.ts';
import { createLedger } from '#policy/ledger/ledger.ts';
import { decodeEntry } from '#policy/ledger/outbox-entry.ts';
import { partitionCount } from '#policy/ledger/types.ts';
import { usageWindows } from '#policy/time.ts';
import { redisForTest } from '#test/support/redis.ts';
import { until } from '#test/support/wait.ts';
import { createDriven, decoded, pap, secret } from '../support/driven.ts';
import { type Accounting, openAccounting } from './accounting.ts';
import { metricOf, newMetrics, silent } from './records.ts';

const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;
const noonMs = Date.UTC(2026, 2, 4, 12);
const subscriptionId = 1;
const partition = partitionOf(1, subscriptionId);

t.setTimeout(120_000);

/** What happens at a second of true time after noon: the server's clock or that of the device is set, or the device sends. */
type Step =
  | { at: number; ours: number }
  | { at: number; device: number }
  | { at: number; kind: keyof typeof statusType; seconds?: number; up?: number; down?: number; delay?: number }
  | { at: number; login: true };

const statusType = { start: 1, stop: 2, interim: 3, on: 7 } as const;

type Setup = Awaited<ReturnType<typeof setup>>;
type Network = Awaited<ReturnType<typeof network>>;

async function setup(t: { teardown(handler: () => unknown): unknown }) {
  const redis = await redisForTest(t, { config: { appendfsync: 'no' } });
  const client = sendTogether(new Redis(redis.port, '127.0.0.1'));
  t.teardown(() => client.disconnect());
  const ledger = createLedger(client);
  await ledger.load();
  const root = mkdtempSync(path.join(tmpdir(), 'lastmile-clocks-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  return { client, ledger, root, networks: 0 };
}

/** A node and a device in front of it, whose clocks can be set. */
async function network(t: { teardown(handler: () => unknown): unknown }, shared: Setup) {
  await shared.client.flushdb();
  let oursS = 0;
  let deviceS: number | null = null;
  let trueS = 0;
  let accounting: Accounting;
  const metrics = newMetrics();
  const driven = createDriven({ append: (record) => accounting.append(record) });
  const clock = { nowMs: () => driven.wallMs, monotonicMs: () => performance.now() };
  const folder = path.join(shared.root, `node-${shared.networks++}`);
  const open = async () => {
    accounting = await openAccounting({
      ...{ folder, ledger: shared.ledger, calls: createCallMaker(driven.isp.snapshot), metrics, log: silent, clock },
      ...{ onEvents: () => {}, segmentBytes: 600 },
    });
    await accounting.start();
  };
  await open();
  t.teardown(() => accounting.stop());

  let classOf: Buffer | undefined;
  let identifier = 0;
  const tell = () => {
    driven.wallMs = noonMs + (trueS + oursS) * 1000;
    driven.nowMs = 1_000_000 + trueS * 1000;
  };
  tell();

  async function send(step: Extract<Step, { kind: unknown }>): Promise<void> {
    const builder = createPacketBuilder();
    builder.begin(code.accountingRequest, identifier++ % 256);
    builder.add(attribute.acctStatusType, statusType[step.kind]);
    if (step.kind !== 'on') {
      builder.add(attribute.acctSessionId, 'a');
      builder.add(attribute.userName, 'alice');
      if (step.seconds !== undefined) builder.add(attribute.acctSessionTime, step.seconds);
      builder.add(attribute.acctInputOctets, step.up ?? 0);
      builder.add(attribute.acctOutputOctets, step.down ?? 0);
      if (classOf) builder.add(attribute.class, classOf);
    }
    if (deviceS !== null) builder.add(attribute.eventTimestamp, noonMs / 1000 + trueS + deviceS - (step.delay ?? 0));
    if (step.delay !== undefined) builder.add(attribute.acctDelayTime, step.delay);
    builder.finishRequest(secret);
    driven.receive(Buffer.from(builder.data.subarray(0, builder.length())), 'acct');
    await driven.handler.drain();
    if (driven.sent.splice(0).length !== 1) throw new Error(`${JSON.stringify(step)} was not acknowledged`);
  }

  return {
    async play(steps: readonly Step[]): Promise<void> {
      for (const step of steps) {
        trueS = step.at;
        if ('ours' in step) oursS = step.ours;
        if ('device' in step) deviceS = step.device;
        tell();
        if ('login' in step) {
          const accept = decoded(driven.receive(pap())[0]);
          classOf = Buffer.from(octetsAt(accept, firstAttribute(accept, attribute.class)));
        }
        if ('kind' in step) await send(step);
      }
      await until(() => accounting.applier.idle(), 'everything is applied', 10_000);
    },
    async restart(): Promise<void> {
      await accounting.stop();
      await open();
    },
    async rows() {
      const entries = await shared.client.xrangeBuffer(keys.accounted(partition), '-', '+');
      return entries.flatMap(([id, fields]) => decodeEntry(String(id), partition, fields[1]) ?? []);
    },
    async found() {
      const usage = (atMs: number) => shared.ledger.usage(1, subscriptionId, usageWindows(atMs, 'UTC', 1, 1));
      const days = await Promise.all([-2, -1, 0, 1, 2].map((days) => usage(noonMs + days * day * 1000)));
      const quarantine = Array.from({ length: partitionCount }, (_, i) => shared.client.xlen(keys.quarantine(i)));
      const { upBytes: up, downBytes: down } = (await usage(noonMs)).all;
      return {
        ...{ up, down },
        ofDays: days.reduce((sum, { day }) => sum + day.upBytes + day.downBytes, 0),
        ofMonth: days[2]!.month.upBytes + days[2]!.month.downBytes,
        open: (await shared.ledger.sessionsOf(1, subscriptionId)).map(({ incarnation }) => incarnation),
        quarantined: (await Promise.all(quarantine)).reduce((sum, length) => sum + length, 0),
      };
    },
    alarms: () => metricOf(metrics.alarms),
  };
}

/** A session of forty minutes: 400 octets up, 4000 down. `between` happens behind the record of its number. */
function session(between: Readonly<Record<number, readonly Step[]>>, fromS = 0): Step[] {
  const at = (seconds: number) => ({ at: fromS + seconds, seconds, up: seconds / 6, down: (seconds * 10) / 6 });
  const records: Step[] = [
    { at: fromS, kind: 'start' },
    ...[10, 20, 30].map((minutes) => ({ kind: 'interim' as const, ...at(minutes * minute) })),
    { kind: 'stop', ...at(40 * minute) },
  ];
  return records.flatMap((record, index) => [record, ...(between[index] ?? [])]);
}

const whole = { up: 400, down: 4000, ofDays: 4400, ofMonth: 4400, open: [], quarantined: 0 };

async function countedOnce(t: Test, isp: Network, title: string): Promise<void> {
  t.strictSame(await isp.found(), whole, title);
  const rows = await isp.rows();
  t.equal(rows.length, 5, `${title}: each record is in the history`);
  t.strictSame([...new Set(rows.map(({ incarnation }) => incarnation))], [1], `${title}: one session`);
  t.equal(await isp.alarms(), 0, `${title}: nothing to look at`);
}

const byTime = (steps: readonly Step[]) => [...steps].sort((a, b) => a.at - b.at);

t.test('our clock jumps between the records of a session', async (t) => {
  const shared = await setup(t);
  for (const [name, by] of [
    ['a day ahead', day],
    ['an hour back', -hour],
    ['a day back', -day],
  ] as const) {
    for (const behind of [0, 1, 2, 3]) {
      const at = behind * 10 * minute + 1;
      for (const isSetRight of behind < 3 ? [false, true] : [false]) {
        const isp = await network(t, shared);
        const later = isSetRight ? { [behind + 1]: [{ at: at + 10 * minute, ours: 0 }] } : {};
        await isp.play([login, ...session({ [behind]: [{ at, ours: by }], ...later })]);
        await countedOnce(t, isp, `${name} behind record ${behind}${isSetRight ? ', and right again' : ''}`);
      }
    }
  }
});

const login: Step = { at: 0, login: true };
const year = 365 * day;

/** Seconds by which the clock of a device is ahead, from an instant on; and whether a session without Class bears it too. */
const wrongClocks: readonly [string, readonly [at: number, aheadS: number][], classless: boolean][] = [
  ['right', [[0, 0]], true],
  ['years ahead', [[0, 11 * year]], true],
  ['three hours behind', [[0, -3 * hour]], true],
  [
    'of 1970 until it hears of the time',
    [
      [0, -50 * year],
      [25 * minute, 0],
    ],
    true,
  ],
  [
    'three hours behind until it hears of the time',
    [
      [0, -3 * hour],
      [15 * minute, 0],
    ],
    true,
  ],
  [
    'of a local time, whose summer ends',
    [
      [0, -5 * hour],
      [15 * minute, -6 * hour],
    ],
    false,
  ],
  [
    'ahead by its zone, then behind',
    [
      [0, 2 * hour],
      [25 * minute, -3 * hour],
    ],
    false,
  ],
  [
    'right, then more than a day behind, then less',
    [
      [0, 0],
      [5 * minute, -day - hour],
      [25 * minute, -day + hour],
    ],
    false,
  ],
];

t.test('the clock of a device is wrong, or is set, while it tells the time of its events', async (t) => {
  const shared = await setup(t);
  for (const [name, sets, classless] of wrongClocks) {
    const steps = byTime([...sets.map(([at, device]) => ({ at, device })), ...session({})]);
    for (const withClass of classless ? [true, false] : [true]) {
      const isp = await network(t, shared);
      await isp.play(withClass ? [login, ...steps] : steps);
      await countedOnce(t, isp, `${name}${withClass ? '' : ', without Class'}`);
    }
  }
});

t.test('a clock that drifts to and fro past what is believed of it makes no second session', async (t) => {
  const shared = await setup(t);
  for (const withClass of [true, false]) {
    for (const [name, aheadS] of [
      ['past five minutes ahead', (n: number) => 295 + n],
      ['about five minutes ahead', (n: number) => 300 + (n % 2)],
      ['about a day behind', (n: number) => -day + (n % 2 === 0 ? 5 : -5)],
    ] as const) {
      const isp = await network(t, shared);
      // Without Class only an event within the life of the session tells that it is the same.
      const ageS = withClass ? 0 : 2 * day;
      const interims = Array.from({ length: 12 }, (_, n) => (n + 1) * minute).flatMap((at, n): Step[] => [
        { at, device: aheadS(n) },
        { at, kind: 'interim', seconds: ageS + at, up: at / 6, down: at },
      ]);
      await isp.play([...(withClass ? [login] : []), { at: -ageS, kind: 'start' }, ...interims]);
      const { up, down, open } = await isp.found();
      const title = `${name}${withClass ? '' : ', without Class'}`;
      t.strictSame({ up, down, open }, { up: 120, down: 720, open: [1] }, title);
    }
  }
});

t.test('records that are repeated by Acct-Delay-Time, while our clock jumps, count once', async (t) => {
  const shared = await setup(t);
  for (const [name, by] of [
    ['a day ahead', day],
    ['an hour back', -hour],
  ] as const) {
    const isp = await network(t, shared);
    const again: Step = { at: 12 * minute, kind: 'interim', seconds: 600, up: 100, down: 1000, delay: 120 };
    const waited: Step = { at: 29 * minute, kind: 'interim', seconds: 1500, up: 250, down: 2500, delay: 240 };
    await isp.play([
      login,
      ...session({ 0: [{ at: 30, kind: 'start', delay: 30 }], 1: [{ at: 11 * minute, ours: by }, again], 2: [waited] }),
      { at: 41 * minute, ours: 0 },
      { at: 42 * minute, kind: 'stop', seconds: 2400, up: 400, down: 4000, delay: 120 },
    ]);
    t.strictSame(await isp.found(), whole, name);
    const rows = await isp.rows();
    t.equal(rows.length, 9, 'each of them is in the history');
    t.strictSame(
      rows.map(({ upTotal }) => upTotal),
      [0, 0, 100, 100, 200, 250, 300, 400, 400],
    );
  }
});

t.test('a clock that is set back to before a restart of the device ends no session', async (t) => {
  const shared = await setup(t);
  for (const by of [-hour, -day]) {
    const isp = await network(t, shared);
    await isp.play([{ at: -10 * minute, kind: 'on' }, login, ...session({ 1: [{ at: 11 * minute, ours: by }] })]);
    await countedOnce(t, isp, `set by ${by} seconds`);
  }
  const ahead = await network(t, shared);
  await ahead.play([
    ...[
      { at: -20 * minute, ours: day },
      { at: -10 * minute, kind: 'on' as const },
      { at: -minute, ours: 0 },
    ],
    ...[login, ...session({})],
  ]);
  await countedOnce(t, ahead, 'a restart that was noted a day ahead');
});

t.test('the log goes on through restarts while our clock jumps: positions and generations only grow', async (t) => {
  const shared = await setup(t);
  const isp = await network(t, shared);
  let atS = 0;
  for (const ours of [0, day, -hour, -day, 0]) {
    const from = { at: atS, ours };
    await isp.play([from, { at: atS, login: true }, ...session({}, atS)]);
    await isp.restart();
    atS += hour;
  }
  const rows = await isp.rows();
  t.equal(rows.length, 25);
  const grows = (values: readonly number[], least: number) =>
    values.every((value, index) => index === 0 || value - values[index - 1]! >= least);
  t.ok(
    grows(
      rows.map(({ position }) => position),
      1,
    ),
    'positions',
  );
  t.ok(
    grows(
      rows.map(({ generation }) => generation),
      0,
    ),
    'generations',
  );
  t.equal(new Set(rows.map(({ generation }) => generation)).size, 5, 'each start has its own');
  const { up, down, quarantined } = await isp.found();
  t.strictSame({ up, down, quarantined }, { up: 5 * 400, down: 5 * 4000, quarantined: 0 });
  t.equal(await isp.alarms(), 0);
});

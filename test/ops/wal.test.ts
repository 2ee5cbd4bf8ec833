// The write-ahead log on a real disk: group commit, torn tails, damage, rotation, retention, a full disk, a killed writer.
import { execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import fc from 'fast-check';
import t from 'tap';
import { codeOf } from '#ops/runtime/errors.ts';
import { createDiskWatch } from '#ops/wal/disk.ts';
import { createWalReader } from '#ops/wal/reader.ts';
import { openWal, type Wal, WalInUse, type WalOptions } from '#ops/wal/wal.ts';
import { metricOf, newMetrics, silent } from '#test/aaa-server/accounting/records.ts';
import { runs } from '#test/support/effort.ts';

type Test = { teardown(handler: () => unknown): unknown };

function folderOf(t: Test): string {
  const root = mkdtempSync(path.join(tmpdir(), 'lastmile-wal-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  return path.join(root, 'wal', 'node-0');
}

async function walOf(t: Test, folder: string, options: Partial<WalOptions> = {}): Promise<Wal> {
  const wal = await openWal({ folder, ...options });
  t.teardown(() => wal.close());
  return wal;
}

async function readAll(wal: Wal, from = 0, chunkBytes?: number) {
  const reader = createWalReader(wal, chunkBytes);
  const texts: string[] = [];
  const positions: number[] = [];
  let damagedBytes = 0;
  for (let at = from; ; ) {
    const batch = await reader.read(at, 7);
    texts.push(...batch.records.map(({ payload }) => payload.toString()));
    positions.push(...batch.records.map(({ position }) => position));
    damagedBytes += batch.damagedBytes;
    if (batch.next === at) break;
    at = batch.next;
  }
  await reader.close();
  return { texts, positions, damagedBytes };
}

const text = (number: number) => Buffer.from(`record ${number}`);
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `record ${from + i}`);
const segmentsOf = (folder: string) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.wal'))
    .sort();

t.test(
  'what was appended is read back in order, also after the log was opened anew, and positions only grow',
  async (t) => {
    const folder = folderOf(t);
    const first = await openWal({ folder });
    await Promise.all(Array.from({ length: 100 }, (_, i) => first.append(text(i))));
    await first.close();
    const second = await walOf(t, folder);
    await second.append(text(100));
    const { texts, positions, damagedBytes } = await readAll(second);
    t.strictSame(texts, numbers(0, 101));
    t.ok(
      positions.every((position, i) => position > (positions[i - 1] ?? 0)),
      'the first is greater than 0',
    );
    t.equal(damagedBytes, 0);
    t.strictSame((await readAll(second, positions[50])).texts, numbers(50, 101), 'from the position of a record');
    t.equal(segmentsOf(folder).length, 1);
  },
);

t.test('records that arrive together are committed together', async (t) => {
  const wal = await walOf(t, folderOf(t));
  let commits = 0;
  wal.onDurable(() => commits++);
  await Promise.all(Array.from({ length: 5000 }, (_, i) => wal.append(text(i))));
  t.ok(commits <= 2, `${commits} commits`);
});

t.test('a full queue refuses instead of growing without bound', async (t) => {
  const wal = await walOf(t, folderOf(t), { maxQueuedBytes: 1000 });
  const results = await Promise.allSettled(Array.from({ length: 200 }, (_, i) => wal.append(text(i))));
  const kept = results.filter(({ status }) => status === 'fulfilled').length;
  t.ok(kept > 10 && kept < 200, `${kept} kept`);
  t.equal((await readAll(wal)).texts.length, kept);
});

t.test('segments are cut by size and by age, and reading goes on over their borders', async (t) => {
  const folder = folderOf(t);
  let nowMs = 0;
  const clock = { nowMs: () => Date.now(), monotonicMs: () => nowMs };
  const wal = await walOf(t, folder, { segmentBytes: 200, segmentMs: 1000, clock });
  for (let i = 0; i < 50; i++) await wal.append(text(i));
  t.ok(segmentsOf(folder).length >= 4);
  const before = segmentsOf(folder).length;
  nowMs = 5000;
  await wal.append(text(50));
  await wal.append(text(51));
  t.equal(segmentsOf(folder).length, before + 1);
  const { texts, damagedBytes } = await readAll(wal);
  t.strictSame(texts, numbers(0, 52));
  t.equal(damagedBytes, 0);
});

t.test('a torn tail is cut and appending goes on where the last good record ends', async (t) => {
  const folder = folderOf(t);
  const whole = await openWal({ folder });
  for (let i = 0; i < 10; i++) await whole.append(text(i));
  await whole.close();
  const file = path.join(folder, segmentsOf(folder)[0]!);
  const bytes = readFileSync(file);
  const recordLength = 8 + text(9).length;
  for (let cut = 1; cut < recordLength; cut++) {
    writeFileSync(file, bytes.subarray(0, bytes.length - cut));
    const wal = await openWal({ folder });
    t.equal(wal.cutBytes, recordLength - cut);
    await wal.append(text(99));
    t.strictSame((await readAll(wal)).texts, [...numbers(0, 9), 'record 99']);
    await wal.close();
  }
  for (const rubbish of [Buffer.alloc(5000), Buffer.alloc(300, 0x9d), bytes.subarray(-recordLength, -1)]) {
    writeFileSync(file, bytes);
    appendFileSync(file, rubbish);
    const wal = await openWal({ folder });
    t.equal(wal.cutBytes, rubbish.length);
    t.strictSame((await readAll(wal)).texts, numbers(0, 10));
    await wal.close();
  }
});

t.test('a segment that was only being created when the power failed is replaced', async (t) => {
  const folder = folderOf(t);
  const first = await openWal({ folder });
  await first.append(text(0));
  const end = first.durable();
  await first.close();
  writeFileSync(path.join(folder, `${String(end).padStart(16, '0')}.wal`), 'LMW');
  const wal = await walOf(t, folder);
  await wal.append(text(1));
  t.strictSame((await readAll(wal)).texts, numbers(0, 2));
});

t.test('a log of a newer version is refused, not cut', async (t) => {
  const folder = folderOf(t);
  const first = await openWal({ folder });
  await first.append(text(0));
  await first.close();
  const file = path.join(folder, segmentsOf(folder)[0]!);
  const bytes = readFileSync(file);
  bytes[5] = 2;
  writeFileSync(file, bytes);
  await t.rejects(openWal({ folder }), /newer version/);
  t.equal(statSync(file).size, bytes.length);
});

t.test('whatever is damaged in the middle, all other records are still read', async (t) => {
  const folder = folderOf(t);
  const whole = await openWal({ folder });
  const count = 300;
  for (let i = 0; i < count; i += 50) {
    await Promise.all(
      Array.from({ length: 50 }, (_, k) => whole.append(Buffer.concat([text(i + k), Buffer.alloc(900)]))),
    );
  }
  await whole.close();
  const file = path.join(folder, segmentsOf(folder)[0]!);
  const bytes = readFileSync(file);
  const intact = new Set(numbers(0, count));
  const recordLength = (bytes.length - 8) / count;
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.tuple(fc.nat({ max: bytes.length - 9 - 2000 }), fc.integer({ min: 1, max: 40 }), fc.nat({ max: 255 })),
        {
          minLength: 1,
          maxLength: 4,
        },
      ),
      async (spots) => {
        const damaged = Buffer.from(bytes);
        for (const [at, length, value] of spots) damaged.fill(value, at + 8, at + 8 + length);
        writeFileSync(file, damaged);
        const wal = await openWal({ folder });
        const { texts, damagedBytes } = await readAll(wal, 0, 70_000);
        await wal.close();
        const read = texts.map((each) => each.replaceAll('\0', ''));
        const harmed = spots.reduce((sum, [, length]) => sum + 2 + Math.ceil(length / recordLength), 0);
        const altered = !damaged.equals(bytes);
        return (
          read.every((each) => intact.has(each)) &&
          read.length >= count - harmed - spots.length &&
          (altered ? damagedBytes > 0 : damagedBytes === 0)
        );
      },
    ),
    { numRuns: runs(40) },
  );
});

t.test('one log is open once at a time, across handles and processes', async (t) => {
  const folder = folderOf(t);
  const wal = await openWal({ folder });
  t.ok((await openWal({ folder }).catch((error) => error)) instanceof WalInUse);
  const script = `import { openWal } from '#ops/wal/wal.ts';
    await openWal({ folder: ${JSON.stringify(folder)} }).then(() => console.log('open'), (error) => console.log(error.constructor.name));`;
  const other = () =>
    execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', cwd: root }).trim();
  t.equal(other(), 'WalInUse');
  await wal.close();
  t.equal(other(), 'open');
});
const root = path.resolve(import.meta.dirname, '../..');

t.test('old segments go only when they are passed and past their retention; the last one stays', async (t) => {
  const folder = folderOf(t);
  const options = { segmentBytes: 100, retentionMs: 24 * 3_600_000 };
  const written = await openWal({ folder, ...options });
  for (let i = 0; i < 40; i++) await written.append(text(i));
  const all = segmentsOf(folder);
  t.equal(await written.prune(written.durable()), 0, 'too young');
  await written.close();
  const old = new Date(Date.now() - 25 * 3_600_000);
  for (const name of all) utimesSync(path.join(folder, name), old, old);
  const wal = await walOf(t, folder, options);
  t.equal(await wal.prune(0), 0, 'not passed');
  const { positions } = await readAll(wal);
  const passed = positions[20]!;
  await wal.prune(passed);
  t.ok(Number(segmentsOf(folder)[0]!.slice(0, 16)) <= passed);
  t.strictSame((await readAll(wal, passed)).texts, numbers(20, 40), 'what was not passed is still there');
  await wal.prune(wal.durable());
  t.equal(segmentsOf(folder).length, 1);
  await wal.append(text(40));
  t.ok(wal.durable() > positions.at(-1)!, 'positions go on');
});

t.test('the retention is time that passed, however the wall clock is set meanwhile', async (t) => {
  const folder = folderOf(t);
  const hour = 3_600_000;
  let [wallMs, monotonicMs] = [Date.now(), 0];
  const options = { segmentBytes: 100, retentionMs: 24 * hour, segmentMs: 1e12 };
  const clock = { nowMs: () => wallMs, monotonicMs: () => monotonicMs };
  const written = await openWal({ folder, ...options, clock });
  for (let i = 0; i < 20; i++) await written.append(text(i));
  for (const jump of [25, 10 * 365 * 24, -20 * 365 * 24]) {
    wallMs += jump * hour;
    t.equal(await written.prune(written.durable()), 0, `set by ${jump} hours`);
  }
  monotonicMs += 23 * hour;
  t.equal(await written.prune(written.durable()), 0, 'after 23 hours');
  await written.close();
  const old = new Date(Date.now() - 23 * hour);
  for (const name of segmentsOf(folder)) utimesSync(path.join(folder, name), old, old);
  wallMs = Date.now() - hour;
  const wal = await walOf(t, folder, { ...options, clock });
  t.equal(await wal.prune(wal.durable()), 0, 'opened while the clock is an hour behind: 22 hours old');
  monotonicMs += 1.9 * hour;
  t.equal(await wal.prune(wal.durable()), 0);
  monotonicMs += 0.2 * hour;
  await wal.prune(wal.durable());
  t.equal(segmentsOf(folder).length, 1);
});

t.test('the log can be moved on beyond a position', async (t) => {
  const wal = await walOf(t, folderOf(t));
  await wal.append(text(0));
  const end = wal.durable();
  t.equal(await wal.skipTo(1_000_000), end);
  await wal.append(text(1));
  const { texts, positions, damagedBytes } = await readAll(wal);
  t.strictSame(texts, numbers(0, 2));
  t.ok(positions[1]! > 1_000_000);
  t.equal(damagedBytes, 0);
});

const isRoot = process.getuid?.() === 0;
t.test('a full disk', { skip: !isRoot && 'mounting a file system needs root' }, async (t) => {
  const mount = mkdtempSync(path.join(tmpdir(), 'lastmile-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', mount]);
  t.teardown(() => {
    execFileSync('umount', [mount]);
    rmSync(mount, { recursive: true });
  });
  const wal = await openWal({ folder: path.join(mount, 'node-0'), segmentBytes: 300_000 });
  const kept: string[] = [];
  const big = (number: number) => Buffer.concat([text(number), Buffer.alloc(5000, 0x20)]);
  const fill = async (from: number, to: number) => {
    let refused = 0;
    for (let i = from; i < to; i++) {
      try {
        await wal.append(big(i));
        kept.push(`record ${i}`);
      } catch (error) {
        t.equal(codeOf(error), 'ENOSPC');
        refused++;
      }
    }
    return refused;
  };
  const ballast = path.join(mount, 'ballast');
  writeFileSync(ballast, Buffer.alloc(800_000));
  t.ok((await fill(0, 400)) > 50, 'what does not fit is refused');

  const metrics = newMetrics();
  const watch = createDiskWatch({ folder: mount, metrics, log: silent });
  await watch.start();
  t.match(watch.problem(), /9\d|100 % full/);
  t.equal(await metricOf(metrics.alarms, { reason: 'disk_filling' }), 1);
  await watch.stop();

  rmSync(ballast);
  t.equal(await fill(400, 500), 0, 'with room again it goes on by itself');
  t.strictSame(
    (await readAll(wal)).texts.map((each) => each.trimEnd()),
    kept,
    'exactly what was acknowledged is there',
  );
  await wal.close();
  const again = await openWal({ folder: path.join(mount, 'node-0') });
  const { texts, damagedBytes } = await readAll(again);
  t.strictSame(
    texts.map((each) => each.trimEnd()),
    kept,
  );
  t.equal(damagedBytes, 0);
  await again.close();
});

t.test('whatever a writer acknowledged before kill -9 is there', async (t) => {
  const folder = folderOf(t);
  const script = `import { openWal } from '#ops/wal/wal.ts';
    const wal = await openWal({ folder: ${JSON.stringify(folder)}, segmentBytes: 100_000 });
    let next = 0;
    async function client() {
      for (;;) {
        const own = next++;
        await wal.append(Buffer.from('record ' + own));
        process.stdout.write(own + '\\n');
      }
    }
    for (let i = 0; i < 20; i++) client();`;
  const acked = new Set<string>();
  for (let run = 0; run < 3; run++) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.teardown(() => child.kill('SIGKILL'));
    const lines = createInterface({ input: child.stdout });
    const before = acked.size;
    const exited = new Promise((resolve) => child.once('close', resolve));
    for await (const line of lines) {
      if (/^\d+$/.test(line)) acked.add(`${run}:${line}`);
      if (acked.size - before === 2000) child.kill('SIGKILL');
    }
    await exited;
  }
  const wal = await walOf(t, folder);
  const { texts, damagedBytes } = await readAll(wal);
  t.equal(damagedBytes, 0);
  // The numbers begin anew with every run: what was acked n times must be there n times.
  const times = (list: Iterable<string>) => {
    const counts = new Map<string, number>();
    for (const each of list) counts.set(each, (counts.get(each) ?? 0) + 1);
    return counts;
  };
  const read = times(texts);
  const missing = [...times([...acked].map((each) => `record ${each.split(':')[1]}`))].filter(
    ([each, n]) => (read.get(each) ?? 0) < n,
  );
  t.strictSame(missing, []);
  t.ok(acked.size >= 6000);
  t.ok(existsSync(folder));
});

// Faults of Redis under accounting load, for a single server and a cluster: afterwards the counters are the exact sum of what was acknowledged.
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Test as TapTest } from 'tap';
import { connectRedis } from '#ops/stores/redis.ts';
import { createLedger, type Ledger } from '#policy/ledger/ledger.ts';
import type { AccountingRecord } from '#policy/ledger/types.ts';
import { usageWindows } from '#policy/time.ts';
import type { TestRedis } from '#test/support/redis.ts';
import { until } from '#test/support/wait.ts';
import { type Accounting, openAccounting } from './accounting.ts';
import { metricOf, newMetrics, plainCalls, recordOf, silent } from './records.ts';

type Test = { teardown(handler: () => unknown): unknown };

const subscriptions = 40;
/** Every setup has subscriptions of its own. */
let setups = 0;
const uuidOf = (sessionId: string) => Buffer.from(sessionId).toString('hex').padStart(32, '0').slice(-32);

/** Appends records at a steady pace and knows what each subscription must have. */
export function createLoad(firstId: number, append: (record: AccountingRecord) => Promise<void>) {
  const expected = new Map<number, number>();
  const totals = new Map<string, number>();
  let number = 0;
  let running = true;
  /** Half of the records are sessions of their own (each one counts by itself), half go on with a long session. */
  async function client(): Promise<void> {
    while (running) {
      const own = number++;
      const id = firstId + (own % subscriptions);
      const bytes = 1000 + own;
      const sessionId = own % 2 === 0 ? `long-${id}` : `short-${own}`;
      const total = (totals.get(sessionId) ?? 0) + bytes;
      totals.set(sessionId, total);
      const nowMs = Date.now();
      const times = { sessionTimeS: null, eventAtMs: nowMs, receivedAtMs: nowMs };
      await append(recordOf(id, { sessionId, classUuid: uuidOf(sessionId), upOctets: total, ...times }));
      expected.set(id, (expected.get(id) ?? 0) + bytes);
      await delay(2);
    }
  }
  const clients = Array.from({ length: 4 }, client);
  return {
    count: () => number,
    expected,
    async stop() {
      running = false;
      await Promise.all(clients);
    },
  };
}

export async function countedUp(ledger: Ledger, subscriptionId: number): Promise<number> {
  const usage = await ledger.usage(1, subscriptionId, usageWindows(Date.now(), 'UTC', 1, 1));
  return usage.all.upBytes;
}

async function setup(t: Test, redis: TestRedis) {
  const root = mkdtempSync(path.join(tmpdir(), 'lastmile-faults-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const client = await connectRedis({ url: redis.url, name: 'test', commandTimeoutMs: 150 });
  t.teardown(() => client.disconnect());
  const ledger = createLedger(client);
  await ledger.load();
  const metrics = newMetrics();
  const shared = { ledger, calls: plainCalls, metrics, log: silent, onEvents: () => {}, checkMs: 300 };
  const accounting = await openAccounting({ folder: path.join(root, `node-${path.basename(root)}`), ...shared });
  t.teardown(() => accounting.stop());
  await accounting.start();
  const load = createLoad(1 + subscriptions * setups++, (record) => accounting.append(record));
  t.teardown(() => load.stop());
  return { client, ledger, metrics, accounting, load };
}

type Setup = Awaited<ReturnType<typeof setup>>;

const more = (load: Setup['load'], records: number) => {
  const goal = load.count() + records;
  return until(() => load.count() >= goal, `${records} more records are acknowledged`, 15_000);
};

/** Stops the load and compares every counter. */
async function exact({ load, ledger, accounting }: { load: Setup['load']; ledger: Ledger; accounting: Accounting }) {
  await load.stop();
  const wrong = async () => {
    const differences: string[] = [];
    for (const [id, bytes] of load.expected) {
      const counted = await countedUp(ledger, id);
      if (counted !== bytes) differences.push(`${id}: ${counted} for ${bytes}`);
    }
    return differences;
  };
  let last: string[] = [];
  await until(
    async () => {
      if (!accounting.applier.idle()) return false;
      last = await wrong();
      return last.length === 0;
    },
    () => `the counters of ${load.count()} records are exact: ${last.join(', ')}`,
    20_000,
  );
}

export async function testFaults(t: TapTest, redis: TestRedis): Promise<void> {
  const { nodes } = redis;
  const cluster = nodes.length > 1;

  await t.test('when Redis is stopped, and killed, under load', async (t) => {
    const running = await setup(t, redis);
    await more(running.load, 200);
    for (const end of cluster ? (['kill9'] as const) : (['stop', 'kill9'] as const)) {
      await Promise.all(nodes.map((node) => node[end]()));
      await until(async () => (await metricOf(running.metrics.paused)) === 1, 'applying pauses');
      await more(running.load, 200);
      await Promise.all(nodes.map((node) => node.start()));
      await until(async () => (await metricOf(running.metrics.paused)) === 0, 'applying goes on', 20_000);
      await more(running.load, 200);
    }
    await exact(running);
  });

  await t.test('when an older state of Redis comes back', async (t) => {
    const running = await setup(t, redis);
    await more(running.load, 300);
    const copies = new Map<TestRedis, string>();
    for (const node of nodes) {
      await node.stop();
      const copy = `${node.dir}-copy`;
      cpSync(path.join(node.dir, 'appendonlydir'), copy, { recursive: true });
      t.teardown(() => rmSync(copy, { recursive: true, force: true }));
      copies.set(node, copy);
      await node.start();
    }
    await more(running.load, 600);
    await running.load.stop();
    await until(() => running.accounting.applier.idle(), 'everything is in the ledger', 20_000);
    // Of a cluster only one primary falls back: the others keep what they have.
    const [node] = nodes;
    await node!.kill9();
    rmSync(path.join(node!.dir, 'appendonlydir'), { recursive: true });
    cpSync(copies.get(node!)!, path.join(node!.dir, 'appendonlydir'), { recursive: true });
    await node!.start();
    await exact(running);
    t.ok((await metricOf(running.metrics.rewinds)) > 0, 'lanes went back');
  });

  await t.test('when calls time out and still run', async (t) => {
    const running = await setup(t, redis);
    await more(running.load, 100);
    const others = nodes.map(({ port }) => new Redis({ port, host: '127.0.0.1' }));
    t.teardown(() => {
      for (const other of others) other.disconnect();
    });
    for (let i = 0; i < 3; i++) {
      // Answers are late, nothing is lost: commands wait in the socket and run afterwards.
      await Promise.all(others.map((other) => other.call('DEBUG', 'SLEEP', '0.4')));
      await more(running.load, 100);
      await Promise.all(others.map((other) => other.call('CLIENT', 'PAUSE', '300', 'WRITE')));
      await more(running.load, 100);
    }
    await exact(running);
    t.ok((await metricOf(running.metrics.failures)) > 0, 'calls failed');
    const answered = await metricOf(running.metrics.results, { result: 'applied' });
    t.ok(answered < running.load.count(), 'that had run: fewer answers than counted records');
  });

  await t.test('when Redis refuses writes', async (t) => {
    const running = await setup(t, redis);
    const others = nodes.map(({ port }) => new Redis({ port, host: '127.0.0.1' }));
    t.teardown(() => {
      for (const other of others) other.disconnect();
    });
    const onAll = (...command: [string, ...string[]]) => Promise.all(others.map((other) => other.call(...command)));
    const faults: { error: string; begin(): Promise<unknown>; end(): Promise<unknown> }[] = [
      {
        error: 'OOM',
        begin: () => onAll('CONFIG', 'SET', 'maxmemory', '1'),
        end: () => onAll('CONFIG', 'SET', 'maxmemory', '0'),
      },
    ];
    if (!cluster) {
      faults.push({
        error: 'READONLY',
        begin: () => onAll('REPLICAOF', '127.0.0.1', '1'),
        end: () => onAll('REPLICAOF', 'NO', 'ONE'),
      });
      await onAll('CONFIG', 'SET', 'busy-reply-threshold', '20');
      const victim = new Redis({ port: redis.port, host: '127.0.0.1' });
      t.teardown(() => victim.disconnect());
      faults.push({
        error: 'BUSY',
        begin: async () => {
          victim.eval('while true do end', 0).catch(() => undefined);
        },
        end: () => onAll('SCRIPT', 'KILL'),
      });
    }
    for (const { error, begin, end } of faults) {
      await more(running.load, 50);
      await begin();
      await until(async () => (await metricOf(running.metrics.paused)) === 1, `applying pauses by ${error}`);
      await more(running.load, 50);
      await end();
      await until(async () => (await metricOf(running.metrics.paused)) === 0, 'applying goes on', 10_000);
    }
    await exact(running);
  });
}

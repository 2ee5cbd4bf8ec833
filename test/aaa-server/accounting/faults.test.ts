// Faults with a real Redis and a real log: whatever happens to Redis or to us, the counters are the exact sum of what was acknowledged.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { connectRedis } from '#ops/stores/redis.ts';
import { createLedger } from '#policy/ledger/ledger.ts';
import { redisForTest } from '#test/support/redis.ts';
import { until } from '#test/support/wait.ts';
import { openAccounting } from './accounting.ts';
import { countedUp, testFaults } from './faults.ts';
import { newMetrics, plainCalls, silent } from './records.ts';

// Servers stop and come back: waiting for them takes its time.
t.setTimeout(90_000);

t.test('counters are exact', { timeout: 60_000 }, async (t) => {
  await testFaults(t, await redisForTest(t, { config: { 'enable-debug-command': 'local' } }));
});

t.test('every record acknowledged before kill -9 of the process is counted, exactly once', async (t) => {
  const redis = await redisForTest(t);
  const root = mkdtempSync(path.join(tmpdir(), 'lastmile-killed-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const folder = path.join(root, 'node-0');
  const acked = new Set<number>();
  for (let run = 0; run < 3; run++) {
    const script = path.join(import.meta.dirname, 'kill-child.ts');
    const child = spawn(process.execPath, [script, folder, redis.url, String(run * 1_000_000)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.teardown(() => child.kill('SIGKILL'));
    const closed = new Promise((resolve) => child.once('close', resolve));
    const before = acked.size;
    for await (const line of createInterface({ input: child.stdout })) {
      acked.add(Number(line));
      if (acked.size - before === 800) child.kill('SIGKILL');
    }
    await closed;
  }
  t.ok(acked.size >= 2400);
  const client = await connectRedis({ url: redis.url, name: 'test' });
  t.teardown(() => client.disconnect());
  const ledger = createLedger(client);
  const shared = { ledger, calls: plainCalls, metrics: newMetrics(), log: silent, onEvents: () => {} };
  const accounting = await openAccounting({ folder, ...shared });
  await accounting.start();
  await until(() => accounting.applier.idle(), 'the log is applied', 15_000);
  await accounting.stop();
  const counted = new Map<number, number>();
  for (let id = 1; id <= 20; id++) {
    const sessions = await ledger.sessionsOf(1, id);
    for (const { sessionId, upBytes } of sessions) counted.set(Number(sessionId.slice('short-'.length)), upBytes);
    t.equal(
      await countedUp(ledger, id),
      sessions.reduce((sum, { upBytes }) => sum + upBytes, 0),
      `subscription ${id} has the sum of its sessions`,
    );
  }
  t.strictSame(
    [...acked].filter((own) => counted.get(own) !== own + 1),
    [],
    'each acknowledged record is there with its bytes',
  );
});

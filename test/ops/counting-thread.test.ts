// A log whose records a thread of its own applies: what it shows of that thread, and what happens when the thread is gone.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { openCountedLog } from '#ops/lanes/counting-thread.ts';
import { createLogMetrics } from '#ops/lanes/metrics.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import { type LoadedWorker, loadWorker } from '#ops/runtime/worker-begin.ts';
import { until } from '#test/support/wait.ts';

const script = new URL('./fixtures/counting.ts', import.meta.url);

async function logOf(t: Test, thread?: LoadedWorker) {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-counting-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const registry = new Registry();
  const log = await openCountedLog({
    ...{ folder: path.join(folder, 'a'), registry, script, thread, log: createLogger('test', 'silent') },
    metrics: createLogMetrics(new Registry(), 'accounting'),
    dataOf: () => null,
    onEvents: () => undefined,
  });
  t.teardown(() => log.stop());
  return { log, registry };
}

t.test('one look at all metrics asks the thread once; when it has ended nobody waits for it', async (t) => {
  const { log, registry } = await logOf(t);
  await log.start();
  await until(() => registry.getSingleMetric('lastmile_asked'), 'it works');
  t.match(await registry.metrics(), /^lastmile_asked 1$/m);
  await log.endCounting();
  const timers = t.capture(globalThis, 'setTimeout', setTimeout);
  const text = await registry.metrics();
  t.match(text, /^lastmile_one 1$/m, 'what it told last is shown');
  t.match(text, /^lastmile_asked [12]$/m);
  t.strictSame(timers(), []);
});

t.test('a thread that ended before applying begins is noticed', async (t) => {
  const gone = loadWorker(
    new URL("data:text/javascript,import { workerData } from 'node:worker_threads'; workerData.postMessage('loaded');"),
    'counting',
  );
  await gone.loaded;
  await gone.ended;
  const { log } = await logOf(t, gone);
  await t.rejects(log.start(), { message: /had ended before it began/, cause: { message: 'counting ended with 0' } });
});

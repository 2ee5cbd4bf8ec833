// Work that is repeated: one run at a time, a failure told once until it works again.
import t from 'tap';
import { createRepeated } from '#ops/runtime/repeated.ts';
import { until } from '#test/support/wait.ts';

t.test('a run waits for the one under way; failures are told once, and again after it had worked', async (t) => {
  const told: unknown[] = [];
  let runs = 0;
  let atOnce = 0;
  let fails = true;
  const repeated = createRepeated(
    {
      name: 'work',
      everyMs: 3_600_000,
      log: { warn: (fields: unknown) => void told.push(fields) },
      problem: 'it fails',
    },
    async () => {
      runs++;
      atOnce++;
      if (atOnce > 1) throw new Error('two at once');
      await new Promise((resolve) => setImmediate(resolve));
      atOnce--;
      if (fails) throw new Error('away');
    },
  );
  await Promise.all([repeated.run(), repeated.run(), repeated.run()]);
  t.equal(runs, 1);
  await repeated.run();
  t.strictSame(told, [{ reason: 'away' }]);
  fails = false;
  await repeated.run();
  fails = true;
  await repeated.run();
  t.equal(told.length, 2);
});

t.test('it starts once, repeats, and is over after stop', async (t) => {
  let runs = 0;
  const repeated = createRepeated(
    { name: 'work', everyMs: 1, log: { warn: () => undefined }, problem: 'it fails' },
    async () => {
      runs++;
    },
  );
  await repeated.start();
  await repeated.start();
  await until(() => runs > 2, 'some runs');
  await repeated.stop();
  const after = runs;
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(runs, after);
  await repeated.stop();
});

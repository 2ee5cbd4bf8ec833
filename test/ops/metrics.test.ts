// What every process shows of itself: whether its dependencies are fine, and whether somebody set its clock.
import t from 'tap';
import { createAdminServer, type ReadyCheck } from '#ops/runtime/admin.ts';
import { createRegistry, Registry } from '#ops/runtime/metrics.ts';

type Teardown = { teardown(handler: () => unknown): unknown };

async function serve(t: Teardown, ready: readonly ReadyCheck[]) {
  const registry = new Registry();
  const server = createAdminServer({ host: '127.0.0.1', port: 0, registry, ready });
  await server.start();
  t.teardown(() => server.stop());
  return async (path: string) => (await fetch(`http://127.0.0.1:${server.port()}${path}`)).text();
}

t.test('each check of /readyz is a series: 1 while it passes, 0 while it complains or fails', async (t) => {
  let problem: string | null = null;
  const get = await serve(t, [
    { name: 'redis', check: () => problem },
    {
      name: 'disk',
      check() {
        if (problem) throw new Error(problem);
        return null;
      },
    },
  ]);
  t.match(await get('/metrics'), /^lastmile_ready\{check="redis"\} 1\nlastmile_ready\{check="disk"\} 1$/m);
  problem = 'gone';
  t.match(await get('/metrics'), /^lastmile_ready\{check="redis"\} 0\nlastmile_ready\{check="disk"\} 0$/m);
  t.match(JSON.parse(await get('/readyz')), { ok: false, checks: { redis: 'gone', disk: 'gone' } });
});

t.test('a check that does not answer does not hold the metrics up', async (t) => {
  const get = await serve(t, [{ name: 'postgresql', check: () => new Promise(() => {}) }]);
  t.match(await get('/metrics'), /^lastmile_ready\{check="postgresql"\} 0$/m);
});

t.test('a wall clock that was set is a step, one that drifts is none', async (t) => {
  const clock = { wallMs: 1_700_000_000_000, passedMs: 0 };
  const registry = createRegistry('test', {
    nowMs: () => clock.wallMs + clock.passedMs,
    monotonicMs: () => clock.passedMs,
  });
  const steps = async () => Number(/^lastmile_wall_clock_steps_total\S* (\d+)$/m.exec(await registry.metrics())?.[1]);
  clock.passedMs += 60_000;
  t.equal(await steps(), 0, 'time passes');
  clock.wallMs += 400;
  t.equal(await steps(), 0, 'it was slewed');
  clock.wallMs += 3_600_000;
  t.equal(await steps(), 1, 'it was set forward');
  t.equal(await steps(), 1, 'once');
  clock.wallMs -= 3_600_000;
  t.equal(await steps(), 2, 'and back');
  t.match(await registry.metrics(), /^lastmile_wall_clock_seconds\{process="test"\} 1700000060\.4$/m);
});

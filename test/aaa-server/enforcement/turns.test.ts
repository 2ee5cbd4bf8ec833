// Evaluations of one subscription at the same moment: which of them acts.
import t, { type Test } from 'tap';
import { createEnforcementMetrics } from '#aaa-server/enforcement/metrics.ts';
import { createReconciler, type ReconcilerOptions, type Work } from '#aaa-server/enforcement/reconciler.ts';
import type { Change } from '#aaa-server/enforcement/sender.ts';
import { systemTimer } from '#aaa-server/enforcement/timer.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import { noUsage } from '#policy/fup/usage.ts';
import type { Look } from '#policy/ledger/look.ts';
import { createIsp, fullSpeed, tenantId, throttled } from './harness.ts';

/** One subscriber online at full speed who used too much; each look at him is answered by the test. */
async function overused(t: Test) {
  const isp = await createIsp(t, 1);
  await isp.open(1);
  await isp.mark(1, { desired: fullSpeed, sent: fullSpeed, acked: fullSpeed });
  const sessions = await isp.sessionsOf(1);
  const crossed: Look = { usage: noUsage, lastProfile: null, sessions };
  await isp.cross(1);
  const { ledger, lease } = await isp.owner(sessions[0]?.partition ?? 0);
  const looks: PromiseWithResolvers<Look>[] = [];
  const told: Change[] = [];
  const failures: string[] = [];
  const options = {
    ...isp.assessing,
    look() {
      const one = Promise.withResolvers<Look>();
      looks.push(one);
      return one.promise;
    },
    ledger,
    profiles: { publish: async () => {} },
    gate: {
      ask: async (_: number, changes: readonly unknown[]) => ({
        verdicts: changes.map(() => 'go' as const),
        opened: null,
      }),
    },
    sender: { newest: () => null, ready: () => true, push: (change: Change) => told.push(change) },
    timer: systemTimer,
    random: () => 0,
    metrics: createEnforcementMetrics(new Registry()),
    failed: (step: string) => failures.push(step),
  };
  const reconciler = createReconciler(options as unknown as ReconcilerOptions);
  const owned = { lease, signal: new AbortController().signal };
  const work = (cause: Work['cause']): Work => ({ who: { tenantId, subscriptionId: 1 }, owned, cause });
  return { isp, reconciler, work, looks, crossed, told, failures };
}

t.test('a crossing that the sweep meets on its way is not left until the end of the pass', async (t) => {
  const { isp, reconciler, work, looks, crossed, told, failures } = await overused(t);
  const crossing = reconciler.evaluate([work('crossed')]);
  const sweep = reconciler.evaluate([work('sweep')], { postpone: true });
  t.equal(looks.length, 2);
  for (const { resolve } of looks) resolve(crossed);
  t.match(await sweep, { postponed: [], failed: [], sessions: { silent: 0 } });
  t.match(await crossing, { failed: [] });
  t.match(told, [{ sessionKey: isp.sessionKey(1), by: 'coa' }]);
  t.equal((await isp.session(1)).desired, throttled);
  t.strictSame(failures, []);
});

t.test('whoever could not be evaluated is found by the next sweep', async (t) => {
  const { reconciler, work, looks, crossed, told, failures } = await overused(t);
  for (const cause of ['sweep', 'crossed'] as const) {
    const failing = reconciler.evaluate([work(cause)], { postpone: cause === 'sweep' });
    looks.pop()?.reject(new Error('the store is away'));
    t.match(await failing, { failed: [{ cause }] });
  }
  t.strictSame(failures, ['assess', 'assess']);
  const sweep = reconciler.evaluate([work('sweep')], { postpone: true });
  looks.pop()?.resolve(crossed);
  const { postponed } = await sweep;
  t.match(postponed, [{ cause: 'sweep' }]);
  const pass = reconciler.evaluate(postponed);
  looks.pop()?.resolve(crossed);
  await pass;
  t.equal(told.length, 1);
});

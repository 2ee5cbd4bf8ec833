// Evaluations of one subscription at the same moment: which of them acts.
import t from 'tap';
import { createEnforcementMetrics } from '#aaa-server/enforcement/metrics.ts';
import { createReconciler, type ReconcilerOptions, type Work } from '#aaa-server/enforcement/reconciler.ts';
import type { Change } from '#aaa-server/enforcement/sender.ts';
import { systemTimer } from '#aaa-server/enforcement/timer.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import { noUsage } from '#policy/fup/usage.ts';
import type { Look } from '#policy/ledger/look.ts';
import { createIsp, fullSpeed, tenantId, throttled } from './harness.ts';

t.test('a crossing that the sweep meets on its way is not left until the end of the pass', async (t) => {
  const isp = await createIsp(t, 1);
  await isp.open(1);
  await isp.mark(1, { desired: fullSpeed, sent: fullSpeed, acked: fullSpeed });
  const sessions = await isp.sessionsOf(1);
  const crossed: Look = { usage: noUsage, lastProfile: null, sessions };
  await isp.cross(1);
  const { ledger, lease } = await isp.owner(sessions[0]?.partition ?? 0);
  const looks: ((look: Look) => void)[] = [];
  const told: Change[] = [];
  const options = {
    ...isp.assessing,
    look: () => new Promise((resolve) => looks.push(resolve)),
    ledger,
    profiles: { publish: async () => {} },
    gate: { ask: async (_: number, changes: readonly unknown[]) => ({ verdicts: changes.map(() => 'go' as const), opened: null }) },
    sender: { newest: () => null, ready: () => true, push: (change: Change) => told.push(change) },
    timer: systemTimer,
    random: () => 0,
    metrics: createEnforcementMetrics(new Registry()),
    failed: (_: string, error: unknown) => {
      throw error;
    },
  };
  const reconciler = createReconciler(options as unknown as ReconcilerOptions);
  const owned = { lease, signal: new AbortController().signal };
  const work = (cause: Work['cause']): Work => ({ who: { tenantId, subscriptionId: 1 }, owned, cause });

  const crossing = reconciler.evaluate([work('crossed')]);
  const sweep = reconciler.evaluate([work('sweep')], { postpone: true });
  t.equal(looks.length, 2);
  for (const answer of looks) answer(crossed);
  t.match(await sweep, { postponed: [], failed: [], sessions: { silent: 0 } });
  t.match(await crossing, { failed: [] });
  t.match(told, [{ sessionKey: isp.sessionKey(1), by: 'coa' }]);
  t.equal((await isp.session(1)).desired, throttled);
});

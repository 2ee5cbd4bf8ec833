// Measures enforcement in one case: subscribers cross their threshold, beside a load of accounting or without.

import { catalog } from '#ops/seed/demo.ts';
import type { ScriptedNas } from '#test/aaa-server/enforcement/scripted-nas.ts';
import { until } from '#test/support/wait.ts';
import type { LastmileTarget } from '../lastmile/lastmile.ts';
import { readMetrics } from '../lastmile/metrics.ts';
import { recordsPerSession } from '../load/accounting-packets.ts';
import { type Generator, startGenerator } from '../load/generator.ts';
import { createHistogram } from '../load/histogram.ts';
import { type Placement, place, release } from '../machine/placement.ts';
import { type Crossing, createCrossers } from './crossers.ts';

export type EnforceCase = {
  readonly placement: Placement;
  /** Accounting records per second beside it. */
  readonly load: number;
  readonly title: string;
  readonly users: readonly number[];
};

export type Enforced = {
  readonly case: string;
  readonly cores: Placement['name'];
  readonly load: number;
  readonly crossings: number;
  readonly lagMs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** What subscribers used at full speed between the report that crossed and the CoA. */
  readonly leakedBytes: { readonly p50: number; readonly p99: number; readonly total: number };
  /** Changes that the access server acknowledged. */
  readonly acknowledged: number;
};

const secret = 'testing123';
const crossingsPerSecond = 10;
const window = 256;
const sockets = 16;
let lastRun = 0;

export async function measureEnforcement(
  target: LastmileTarget,
  nas: ScriptedNas,
  { placement, load, title, users }: EnforceCase,
): Promise<Enforced> {
  const run = `cross-${process.pid}-${++lastRun}`;
  const { acctPort, accounts } = target;
  const crossers = createCrossers({ acctPort, secret, accounts, users, run, nas });
  const generator = load > 0 ? startGenerator(placement.generator) : undefined;
  const acked = async () =>
    (await readMetrics(target.stack.aaaAdminUrl)).sum('lastmile_coa_requests_total', 'result="ack"');
  try {
    await crossers.start();
    await target.whenCounted?.(users.length);
    const ackedBefore = await acked();
    const lastsMs = (users.length / crossingsPerSecond) * 1000 + 5000;
    if (generator) await prepare(generator, target, run, (load * lastsMs) / 1000);
    place(placement, generator?.pid);
    const beside = generator && (await startLoad(generator, load, lastsMs));
    const crossings = await crossers.cross(crossingsPerSecond);
    await until(
      async () => (await acked()) - ackedBefore >= users.length,
      `${users.length} changes are acknowledged`,
      30_000,
    );
    const acknowledged = (await acked()) - ackedBefore;
    const sent = (await beside?.done)?.total.answered ?? 0;
    release();
    await target.whenCounted?.(sent + users.length);
    return {
      case: title,
      cores: placement.name,
      load,
      crossings: crossings.length,
      ...summary(crossings),
      acknowledged,
    };
  } finally {
    crossers.close();
    await generator?.stop();
    release();
  }
}

/** Resolves when the load is steady. */
async function startLoad(generator: Generator, perSecond: number, measureMs: number) {
  let begins = () => {};
  const steady = new Promise<void>((resolve) => {
    begins = resolve;
  });
  const plan = { warmUpMs: 2000, measureMs, perSecond, gentle: true } as const;
  const done = generator.run(plan, { begins: () => begins(), ends: () => {} });
  await Promise.race([steady, done]);
  return { done };
}

async function prepare(generator: Generator, target: LastmileTarget, run: string, records: number): Promise<void> {
  const perLine = Math.ceil((records * 1.5) / window / recordsPerSession) * recordsPerSession;
  await generator.prepare({
    port: target.acctPort,
    secret,
    sockets,
    lines: window,
    verify: true,
    packets: {
      kind: 'accounting',
      sessions: 'whole',
      perLine,
      run,
      firstSession: 0,
      startedAtS: Math.floor(Date.now() / 1000) - 3600,
      ...target.accounts,
    },
  });
}

function summary(crossings: readonly Crossing[]): Pick<Enforced, 'lagMs' | 'leakedBytes'> {
  const lags = createHistogram();
  const leaks = createHistogram();
  let total = 0;
  for (const { user, lagMs } of crossings) {
    const bytesPerS = (catalog[user % catalog.length]?.downBps ?? 0) / 8;
    const leaked = (bytesPerS * lagMs) / 1000;
    lags.record(lagMs * 1000);
    leaks.record(leaked);
    total += leaked;
  }
  const ms = (quantile: number) => lags.quantile(quantile) / 1000;
  return {
    lagMs: { p50: ms(0.5), p99: ms(0.99), max: ms(1) },
    leakedBytes: { p50: leaks.quantile(0.5), p99: leaks.quantile(0.99), total },
  };
}

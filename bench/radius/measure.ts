// Measures one server in one case: so many runs, the median of each number, and whether what it counted is what was sent.
import { recordsPerSession } from '../load/accounting-packets.ts';
import { type Generator, startGenerator } from '../load/generator.ts';
import type { Preparation, RunResult, RunTotals } from '../load/protocol.ts';
import { type Placement, place, release } from '../machine/placement.ts';
import { cpuSecondsOf, descendantsOf } from '../machine/processes.ts';
import { median } from '../report/units.ts';
import type { RadiusCase } from './cases.ts';
import type { Bytes, Target } from './target.ts';

export type Measurement = {
  readonly server: string;
  readonly case: string;
  readonly cores: Placement['name'];
  readonly sourcePorts: number;
  readonly window: number;
  readonly runs: readonly MeasuredRun[];
  /** Medians. */
  readonly perSecond: number;
  readonly latencyMs: RunResult['latencyMs'];
  /** Cores that the server used, its stores included. */
  readonly serverCores: number;
  readonly generatorCores: number;
  /** At half of `perSecond`; null where it was not measured. */
  readonly halfLoad: Paced | null;
  /** At the same rate as every other server; null also where the server does not reach it. */
  readonly commonLoad: Paced | null;
  /** Accounting: records per second until the last one was counted; null where nothing counts or it is no accounting. */
  readonly countedPerSecond: number | null;
  readonly durability: string | null;
};

export type MeasuredRun = RunResult & { readonly serverCores: number; readonly countedSeconds: number | null };
export type Paced = { readonly perSecond: number; readonly latencyMs: RunResult['latencyMs'] };

export type MeasureOptions = { readonly runs: number; readonly seconds: number; readonly subscribers: number };

/** Half of what FreeRADIUS reaches by logins on one core where this was written. */
export const commonPerSecond = 14_000;

const secret = 'testing123';
const password = 'pass123';
/** Logins made before a run, sent in a ring: every subscriber's one at least. */
const preparedLogins = 131_072;
/** Records made before a run for each second of it; a server that takes more ends the run early. */
const preparedRecordsPerSecond = 60_000;
/** So many requests wait for their turn at most when they come at even distances. */
const halfLoadLines = 2048;

/**
 * Before the first run of a case, so that no server is measured while it fills its caches or compiles its code. Of logins until every one of the
 * ring was answered, also where that takes longer, but no longer than `ring`. The records of accounting are used up by it. `paced`: until V8 has
 * compiled the generator's own pace, on the core where it must not be late.
 */
const warmUpOf = { login: 10_000, ring: 30_000, accounting: 3000, again: 1000, paced: 4000 };

let lastRun = 0;
let loginsBefore = 0;
let sessionsBefore = 0;

export async function measure(target: Target, radiusCase: RadiusCase, options: MeasureOptions): Promise<Measurement> {
  const generator = startGenerator(radiusCase.placement.generator);
  try {
    return await measureWith(generator, target, radiusCase, options);
  } finally {
    await generator.stop();
  }
}

async function measureWith(
  generator: Generator,
  target: Target,
  radiusCase: RadiusCase,
  options: MeasureOptions,
): Promise<Measurement> {
  const runs: MeasuredRun[] = [];
  const first = radiusCase.request === 'accounting' ? warmUpOf.accounting : warmUpOf.login;
  const run = (pace: number | null, warmUpMs: number, share: number) =>
    measureRun(generator, target, radiusCase, options, pace, warmUpMs, share);
  for (let at = 0; at < options.runs; at++) {
    runs.push(await run(null, at === 0 ? first : warmUpOf.again, shareOf(at, options)));
  }
  const middle = (of: (measured: MeasuredRun) => number) => median(runs.map(of));
  const perSecond = middle((run) => run.perSecond);
  const paced = async (pace: number): Promise<Paced | null> => {
    if (!radiusCase.halfLoad || pace >= perSecond) return null;
    const { perSecond: reached, latencyMs } = await run(pace, warmUpOf.paced, 1);
    return { perSecond: reached, latencyMs };
  };
  const halfLoad = await paced(perSecond / 2);
  const commonLoad = await paced(commonPerSecond);
  const counted = runs.flatMap(({ countedSeconds, total }) =>
    countedSeconds ? [total.answered / countedSeconds] : [],
  );
  return {
    server: target.name,
    case: radiusCase.title,
    cores: radiusCase.placement.name,
    sourcePorts: radiusCase.sourcePorts,
    window: radiusCase.window,
    runs,
    perSecond,
    latencyMs: {
      p50: middle(({ latencyMs }) => latencyMs.p50),
      p99: middle(({ latencyMs }) => latencyMs.p99),
      p999: middle(({ latencyMs }) => latencyMs.p999),
      max: middle(({ latencyMs }) => latencyMs.max),
    },
    serverCores: middle(({ serverCores }) => serverCores),
    generatorCores: middle(({ generatorCores }) => generatorCores),
    halfLoad,
    commonLoad,
    countedPerSecond: counted.length > 0 ? median(counted) : null,
    durability: radiusCase.request === 'accounting' ? target.durability : null,
  };
}

/** The part of the subscribers that a run logs in when none may twice: as long as it takes, and it warms up. */
function shareOf(run: number, { runs, seconds }: MeasureOptions): number {
  const took = (at: number) => seconds + (at === 0 ? warmUpOf.login : warmUpOf.again) / 1000;
  return took(run) / (took(0) + (runs - 1) * took(1));
}

async function measureRun(
  generator: Generator,
  target: Target,
  radiusCase: RadiusCase,
  { seconds, subscribers }: MeasureOptions,
  perSecond: number | null,
  longestWarmUpMs: number,
  share: number,
): Promise<MeasuredRun> {
  const { request, placement } = radiusCase;
  const isAccounting = request === 'accounting';
  // A quick look at everything measures nothing.
  const warmUpMs = seconds < 1 ? seconds * 500 : longestWarmUpMs;
  // Where nobody may log in twice the ring is used up by it, too.
  const ringMs = warmUpMs === warmUpOf.login && !radiusCase.network ? warmUpOf.ring : 0;
  try {
    const before = isAccounting ? await target.total() : null;
    const recordsNeeded = (seconds + warmUpMs / 1000) * (perSecond ?? preparedRecordsPerSecond) * (perSecond ? 1.5 : 1);
    await generator.prepare(
      preparationOf(target, radiusCase, { subscribers, share }, recordsNeeded, perSecond !== null),
    );
    place(placement, generator.pid);
    let servers: number[] = [];
    let cpuBefore = 0;
    let serverSeconds = 0;
    const startedAt = performance.now();
    const result = await generator.run(
      { warmUpMs, ringMs, measureMs: seconds * 1000, perSecond },
      {
        begins() {
          servers = descendantsOf(process.pid, [generator.pid]);
          cpuBefore = cpuSecondsOf(servers);
        },
        ends() {
          serverSeconds = cpuSecondsOf(servers) - cpuBefore;
        },
      },
    );
    check(target, result.total);
    let countedSeconds: number | null = null;
    if (isAccounting && target.whenCounted) {
      await target.whenCounted(result.total.answered);
      countedSeconds = (performance.now() - startedAt) / 1000;
    }
    release();
    if (before) await compare(target, before, result.total);
    return { ...result, serverCores: serverSeconds / result.seconds, countedSeconds };
  } finally {
    release();
  }
}

function preparationOf(
  target: Target,
  { request, sourcePorts, window, network }: RadiusCase,
  { subscribers, share }: { readonly subscribers: number; readonly share: number },
  records: number,
  paced: boolean,
): Preparation {
  const lines = paced ? Math.min(halfLoadLines, sourcePorts * 256) : window;
  const shape = { secret, sockets: sourcePorts, lines, verify: !target.echo };
  if (network && request !== 'accounting') {
    const perLine = Math.max(1, Math.floor((subscribers * share) / lines));
    const behind = loginsBefore;
    loginsBefore += perLine * lines;
    return {
      ...shape,
      port: target.authPort,
      packets: { kind: 'access', method: request, subscribers, password, perLine, distinct: { behind } },
    };
  }
  if (request !== 'accounting') {
    const perLine = Math.ceil(Math.max(preparedLogins, subscribers) / lines);
    return {
      ...shape,
      port: target.authPort,
      packets: { kind: 'access', method: request, subscribers, password, perLine },
    };
  }
  const perLine = Math.ceil(records / lines / recordsPerSession) * recordsPerSession;
  const firstSession = sessionsBefore;
  sessionsBefore += (lines * perLine) / recordsPerSession;
  const run = `${process.pid}-${++lastRun}`;
  const startedAtS = Math.floor(Date.now() / 1000) - 3600;
  return {
    ...shape,
    port: target.acctPort,
    packets: { kind: 'accounting', sessions: 'whole', run, firstSession, startedAtS, perLine, ...target.accounts },
  };
}

/** A number from a server that answers wrongly or not at all is worth nothing. */
function check(target: Target, total: RunTotals): void {
  const { answered, refused, bad, verified, withoutAddress, doubledAddress } = total;
  const problems = [
    ...(answered === 0 ? ['nothing was answered'] : []),
    ...(refused > 0 ? [`${refused} requests were refused`] : []),
    ...(bad > 0 ? [`${bad} replies had a wrong authenticator`] : []),
    ...(withoutAddress > 0 ? [`${withoutAddress} logins got no address`] : []),
    ...(doubledAddress > 0 ? [`${doubledAddress} logins got an address that another one had`] : []),
    ...(verified === 0 && !target.echo ? ['no reply was verified'] : []),
  ];
  if (problems.length > 0) throw new Error(`${target.name}: ${problems.join(', ')}\n${target.output()}`);
}

/** What was acknowledged is what was counted, to the byte; only a record without an answer may be counted or not. */
async function compare(target: Target, before: Bytes, total: RunTotals): Promise<void> {
  const after = await target.total();
  const [up, down] = [after.upBytes - before.upBytes, after.downBytes - before.downBytes];
  const exact = up === total.upBytes && down === total.downBytes;
  if (exact || (total.lost > 0 && up >= total.upBytes && down >= total.downBytes)) return;
  throw new Error(
    `${target.name} has ${up} bytes up and ${down} down, but acknowledged ${total.upBytes} up and ${total.downBytes} down`,
  );
}

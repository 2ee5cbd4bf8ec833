// `npm run bench:enforce`: how long a subscriber stays fast after crossing a threshold, with and without a load of accounting beside it.
import { tmpdir } from 'node:os';
import path from 'node:path';
import { brakeLimit } from '#policy/enforcement/brake-rule.ts';
import { scriptedNas } from '#test/aaa-server/enforcement/scripted-nas.ts';
import { until } from '#test/support/wait.ts';
import { type Enforced, measureEnforcement } from './enforce/measure.ts';
import { enforceTable } from './enforce/report.ts';
import { createLastmile, type LastmileTarget } from './lastmile/lastmile.ts';
import { readMetrics } from './lastmile/metrics.ts';
import { bringOnline } from './lastmile/online.ts';
import { strideOver } from './load/access-packets.ts';
import { describeMachine, packageVersion } from './machine/describe.ts';
import { endTogether } from './machine/interrupted.ts';
import { oneCore, type Placement, twoCores } from './machine/placement.ts';
import { type BenchOptions, readOptions } from './options.ts';
import { installForBench } from './peers/install.ts';
import { radiusCases } from './radius/cases.ts';
import { measure } from './radius/measure.ts';
import { head } from './report/head.ts';
import { publish } from './report/publish.ts';
import { milliseconds, rate } from './report/units.ts';
import { inWorkFolder } from './work-folder.ts';

endTogether();
const options = readOptions('enforce', tmpdir());
const say = (line: string) => console.error(line);
installForBench(['redis-server'], say);

await inWorkFolder(options.folder, async (folder) => {
  const machine = describeMachine(folder);
  const versions = { Redis: packageVersion('redis-server') };
  const lastmile = createLastmile(path.join(folder, 'lastmile'), options.subscribers, say, options.profiles);
  const teardowns: (() => unknown)[] = [lastmile.remove];
  try {
    const target = await lastmile.start(options.quick ? 1 : 2);
    const nas = await scriptedNas({ teardown: (handler) => teardowns.push(handler) });
    await sendChangesTo(target, nas.port);
    const placements = options.quick ? [twoCores()] : [oneCore(), twoCores()];
    const each = await makeRoom(target, options, placements.length * 2);
    const { acctOne, acctTwo } = radiusCases();
    let crossed = 0;
    const measured: Enforced[] = [];
    for (const placement of placements) {
      const whole = await measure(target, placement.name === 'one core' ? acctOne : acctTwo, { ...options, runs: 1 });
      const half = (whole.countedPerSecond ?? 0) / 2;
      say(`${rate(whole.countedPerSecond ?? 0)} records/s counted on ${placement.name}`);
      for (const load of [0, half]) measured.push(await crossing(placement, load));
    }
    const text = `${head(machine, versions, options)}\n\n${enforceTable(measured)}`;
    publish('enforce', options, { machine, versions, measured }, text);

    async function crossing(placement: Placement, load: number): Promise<Enforced> {
      // From the other end of the row in which they came online.
      const users = Array.from({ length: each }, () =>
        strideOver(options.subscribers - 1 - crossed++, options.subscribers),
      );
      const title = load === 0 ? 'alone' : 'half of what is counted';
      const result = await measureEnforcement(target, nas, { placement, load, title, users });
      say(`  ${title}, ${placement.name}: p99 ${milliseconds(result.lagMs.p99)} ms`);
      return result;
    }
  } finally {
    for (const teardown of teardowns.toReversed()) await teardown();
  }
});

/** Where the seed's access server listens for changes: on a port of ours. */
async function sendChangesTo({ stack }: LastmileTarget, port: number): Promise<void> {
  const { data } = (await stack.api('GET', '/nas')) as { data: { id: number }[] };
  const [nas] = data;
  if (!nas) throw new Error('the seed has made no access server');
  await stack.api('PATCH', `/nas/${nas.id}`, { coa_port: port });
}

/** Brings so many online that the brake lets every crossing pass; answers how many may cross in each case. */
async function makeRoom(target: LastmileTarget, { quick, subscribers }: BenchOptions, cases: number): Promise<number> {
  const online = Math.min(Math.floor(subscribers * 0.9), quick ? 100 : 30_000);
  say(`bringing ${online} subscribers online`);
  await bringOnline(target, online);
  await until(
    async () => (await readMetrics(target.stack.aaaAdminUrl)).sum('lastmile_online_subscribers') >= online,
    `the sweep has seen ${online} subscribers online`,
    300_000,
  );
  return Math.min(quick ? 10 : 200, Math.floor(brakeLimit(online) / cases));
}

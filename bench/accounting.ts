// `npm run bench:accounting`: processor time of an accounting record behind its answer, in each process that has to do with it.
import { renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createChanges } from '#aaa-server/subscribers/changes.ts';
import { createKeyring } from '#ops/runtime/keyring.ts';
import { openDataFolder } from '#ops/stores/data-folder.ts';
import { createEmbeddedRedis } from '#ops/stores/embedded/redis.ts';
import { connectRedis, type RedisClient } from '#ops/stores/redis.ts';
import { applyAll, type StageCost, shipAll } from './accounting/stages.ts';
import { profile, type Share } from './handler/profile.ts';
import { secret, tenantId, writeSubscribers } from './handler/subscribers.ts';
import { openBareWorker } from './handler/worker.ts';
import { accountingPackets } from './load/accounting-packets.ts';
import { makePackets } from './load/packet-store.ts';
import { readOptions } from './options.ts';
import { median, rate } from './report/units.ts';
import { inWorkFolder } from './work-folder.ts';

const { folder: parent, subscribers, runs, quick, profiles } = readOptions('accounting', tmpdir());
const [sockets, lines, perLine] = [16, 256, quick ? 8 : 160];
const records = lines * perLine;
const keyring = createKeyring(['a secret of the bench only']);
const classKey = keyring.derive('class');
const changes = { snapshot: createChanges(), profiles: createChanges() };
const say = (line: string) => console.error(line);
const subscriptionIds = Array.from({ length: subscribers }, (_, i) => i + 1);
/** Functions of Redis that take less of a record are not worth a line. */
const leastMicroseconds = 0.1;

/** A log with records of whole sessions, as a worker leaves it behind; answers its folder, whose name no other run has. */
async function writeLog(folder: string, snapshotPath: string, run: number): Promise<string> {
  const worker = await openBareWorker(folder, snapshotPath, keyring, changes);
  const make = accountingPackets({
    ...{ secret, tenantId, subscriptionIds, classKey: classKey.toString('hex'), perLine, sessions: 'whole' },
    ...{ run: `bench${run}`, firstSession: (run * records) / 4, startedAtS: Math.floor(Date.now() / 1000) - 3600 },
  });
  const answered = await worker.drive('acct', makePackets({ sockets, lines, perLine, once: true }, make), sockets);
  await worker.close();
  if (answered !== records) throw new Error(`${answered} of ${records} were answered`);
  const wal = path.join(folder, `wal-${run}`);
  renameSync(path.join(folder, 'wal'), wal);
  return wal;
}

/** The last run is profiled, when profiles are wanted. */
async function maybeProfiled(work: () => Promise<void>, run: number): Promise<Share[]> {
  if (profiles && run === runs - 1) return profile(work);
  await work();
  return [];
}

async function commandTimes(redis: RedisClient): Promise<string[]> {
  const text = String(await redis.call('INFO', 'commandstats'));
  return [...text.matchAll(/^cmdstat_(\S+):calls=(\d+),usec=(\d+)/gm)]
    .map(([, name, calls, spent]) => ({ name, calls: Number(calls) / records, each: Number(spent) / records }))
    .filter(({ each }) => each >= leastMicroseconds)
    .sort((a, b) => b.each - a.each)
    .map(({ name, calls, each }) => `  ${each.toFixed(2).padStart(6)} µs  ${name}, ${calls.toFixed(2)} calls`);
}

await inWorkFolder(parent, async (folder) => {
  say(`writing ${subscribers} subscribers`);
  const snapshotPath = await writeSubscribers(folder, subscribers, keyring, changes.snapshot);
  const dataFolder = openDataFolder(path.join(folder, 'data'));
  const embedded = createEmbeddedRedis({ folder: dataFolder, mayInstall: true, say });
  await embedded.start();
  const redis = await connectRedis({ url: embedded.url(), name: 'bench', commandTimeoutMs: 60_000 });
  const applied: StageCost[] = [];
  const shipped: StageCost[] = [];
  try {
    for (let run = 0; run < runs; run++) {
      const runFolder = path.join(folder, `run-${run}`);
      const wal = await writeLog(runFolder, snapshotPath, run);
      await redis.config('RESETSTAT');
      const apply = async () => void applied.push(await applyAll(wal, snapshotPath, redis));
      const shares = await maybeProfiled(apply, run);
      const afterApplying = await commandTimes(redis);
      await redis.config('RESETSTAT');
      const ship = async () => {
        const { rows, ...cost } = await shipAll(runFolder, redis);
        if (rows !== records) throw new Error(`${rows} rows of ${records} records were shipped`);
        shipped.push(cost);
      };
      const shipShares = await maybeProfiled(ship, run);
      if (run < runs - 1) continue;
      tell('applied', applied, shares, afterApplying);
      tell('shipped', shipped, shipShares, await commandTimes(redis));
    }
  } finally {
    redis.disconnect();
    await embedded.stop();
  }
});

function tell(name: string, costs: readonly StageCost[], shares: readonly Share[], redis: string[]) {
  const each = (of: (cost: StageCost) => number) => costs.map((cost) => of(cost) / records);
  const all = (values: readonly number[]) => values.map((value) => value.toFixed(1)).join(', ');
  const [own, store] = [each((cost) => cost.own), each((cost) => cost.redis)];
  const perSecond = median(costs.map(({ seconds }) => records / seconds));
  console.log(`${name}: ${median(own).toFixed(1)} µs of processor time in our thread (${all(own)})`);
  console.log(`${name}: ${median(store).toFixed(1)} µs in Redis (${all(store)}), at ${rate(perSecond)}/s`);
  for (const line of redis) console.log(line);
  for (const { where, share } of shares.slice(0, 30)) {
    console.log(`  ${(share * median(own)).toFixed(2).padStart(6)} µs  ${where}`);
  }
}

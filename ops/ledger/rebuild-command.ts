// `npm run ledger:rebuild`: brings the ledger in Redis back. Without --confirm it only says what it would do.
import { parseArgs } from 'node:util';
import { systemClock } from '#ops/runtime/clock.ts';
import { messageOf } from '#ops/runtime/errors.ts';
import { createProgress } from '../seed/progress.ts';
import { connectStores, type Stores } from './connect.ts';
import { findDrift, HistoryBehind } from './drift.ts';
import { localLogs } from './logs.ts';
import { againstHistory, againstLogs } from './objections.ts';
import { type RebuildOptions, rebuild } from './rebuild.ts';
import { openRebuildFile, type RebuildSource, rebuildSources } from './rebuild-state.ts';
import { knownSubscribers } from './subscribers.ts';

const usage = 'usage: npm run ledger:rebuild -- --from clickhouse|wal [--confirm N] [--force] [--wait SECONDS]';

async function command(): Promise<void> {
  const { values } = parseArgs({
    options: {
      from: { type: 'string' },
      confirm: { type: 'string' },
      force: { type: 'boolean', default: false },
      wait: { type: 'string', default: '300' },
    },
  });
  const from = rebuildSources.find((source) => source === values.from);
  if (!from) throw new Error(`say from where; ${usage}`);
  if (!/^\d{1,5}$/.test(values.wait)) throw new Error(`--wait must be seconds; ${usage}`);
  const stores = await connectStores(process.env, 'ledger-rebuild');
  const file = openRebuildFile(stores.folder.path);
  try {
    const logs = await localLogs(stores.folder.path);
    const objections =
      from === 'wal'
        ? await againstLogs(logs, stores.redis)
        : await againstHistory({ ...stores, dataFolder: stores.folder.path });
    const known = await knownSubscribers(stores.redis, stores.clickhouse);
    const count = known.reduce((sum, tenants) => sum + [...tenants.values()].flat().length, 0);
    for (const objection of objections) console.log(`! ${objection}`);
    if (values.confirm === undefined) return await preview(stores, from, count, objections);
    if (Number(values.confirm) !== count) throw new Error(`there are ${count} subscriptions, not ${values.confirm}`);
    if (objections.length > 0 && !values.force) throw new Error('nothing was changed; --force does it anyway');
    await run({ ...stores, file, logs }, from, Number(values.wait) * 1000);
  } finally {
    file.close();
    await stores.close();
  }
}

async function preview(
  stores: Stores,
  from: RebuildSource,
  count: number,
  objections: readonly string[],
): Promise<void> {
  console.log(
    from === 'wal'
      ? `The counters and sessions of ${count} subscriptions would be forgotten, and counted again from the logs on this node.`
      : `The counters and sessions of ${count} subscriptions would be forgotten, and brought back from the history.`,
  );
  if (from === 'clickhouse') console.log(await differing(stores));
  console.log('Counting and enforcement pause meanwhile; logins go on, and nothing that is acknowledged is lost.');
  const force = objections.length > 0 ? ' --force' : '';
  console.log(`Nothing was changed. To do it: npm run ledger:rebuild -- --from ${from} --confirm ${count}${force}`);
}

async function differing(stores: Stores): Promise<string> {
  try {
    const drift = await findDrift({
      ...{ ...stores, clock: systemClock, allTime: stores.wholeHistory, waitMs: 10_000, onProgress: () => {} },
    });
    const subscriptions = new Set(drift.differences.map((one) => `${one.tenantId} ${one.subscriptionId}`));
    return `${drift.differences.length} counters of ${subscriptions.size} subscriptions differ now; npm run ledger:drift shows them.`;
  } catch (error) {
    if (!(error instanceof HistoryBehind)) throw error;
    return `How much differs cannot be told yet: ${error.message}.`;
  }
}

async function run(
  stores: Stores & Pick<RebuildOptions, 'file' | 'logs'>,
  from: RebuildSource,
  waitMs: number,
): Promise<void> {
  const startedAt = performance.now();
  const progress = createProgress('partitions rebuilt');
  const { subscriptions, sessions } = await rebuild({
    ...stores,
    ...{ from, waitMs, clock: systemClock, say: (line) => console.log(line) },
    onProgress: (done, total) => progress.show(done, total),
  });
  progress.end();
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(
    from === 'wal'
      ? `The ledger is forgotten after ${seconds} s; the logs are being counted again: lastmile_accounting_backlog_bytes shows how far.`
      : `${subscriptions} subscriptions and ${sessions} sessions are back after ${seconds} s. Now: npm run ledger:drift`,
  );
}

try {
  await command();
} catch (error) {
  console.error(`ledger:rebuild: ${messageOf(error)}`);
  process.exitCode = 1;
}

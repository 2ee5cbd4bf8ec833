// `npm run ledger:drift`: does the ledger in Redis say the same as the history in ClickHouse? Exit 0: yes, 1: no, 2: not compared.
import { parseArgs } from 'node:util';
import { systemClock } from '#ops/runtime/clock.ts';
import { messageOf } from '#ops/runtime/errors.ts';
import type { ByteCount } from '#policy/fup/usage.ts';
import { createProgress } from '../seed/progress.ts';
import { connectStores } from './connect.ts';
import { windowOfName } from './counters.ts';
import { type Drift, findDrift } from './drift.ts';

const usage = 'usage: npm run ledger:drift -- [--json] [--wait SECONDS]';
const mostShown = 50;

async function command(): Promise<boolean> {
  const { values } = parseArgs({
    options: { json: { type: 'boolean', default: false }, wait: { type: 'string', default: '60' } },
  });
  if (!/^\d{1,5}$/.test(values.wait)) throw new Error(`--wait must be seconds; ${usage}`);
  const stores = await connectStores(process.env, 'ledger-drift');
  const progress = values.json ? undefined : createProgress('subscriptions compared');
  try {
    const drift = await findDrift({
      ...{ ...stores, clock: systemClock, allTime: stores.wholeHistory, waitMs: Number(values.wait) * 1000 },
      onProgress: (done, total) => progress?.show(done, total),
    });
    progress?.end();
    if (values.json) console.log(JSON.stringify(drift));
    else for (const line of report(drift, stores.wholeHistory)) console.log(line);
    return drift.differences.length === 0;
  } finally {
    await stores.close();
  }
}

function report({ subscriptions, counters, skipped, differences }: Drift, wholeHistory: boolean): string[] {
  const notes = [
    ...(wholeHistory ? [] : ['counters of all time are not compared: CLICKHOUSE_ACCOUNTING_TTL_DAYS lets history end']),
    ...(skipped > 0 ? [`${skipped} windows of a former calendar are not compared`] : []),
  ];
  const compared = `${counters} counters of ${subscriptions} subscriptions compared`;
  if (differences.length === 0) return [...notes, `${compared}: the ledger and the history are the same`];
  const rows = differences
    .slice(0, mostShown)
    .map(({ tenantId, subscriptionId, counter, ledger, history }) => [
      ...[String(tenantId), String(subscriptionId), named(counter)],
      ...[ledger.upBytes, history.upBytes, ledger.downBytes, history.downBytes].map(String),
      ...[bytes(ledger) - bytes(history)].map(String),
    ]);
  const head = [
    'tenant',
    'subscription',
    'counter',
    'ledger up',
    'history up',
    'ledger down',
    'history down',
    'ledger − history',
  ];
  const left = differences.length - rows.length;
  return [
    ...table([head, ...rows]),
    ...(left > 0 ? [`and ${left} more; --json has all`] : []),
    ...notes,
    `${compared}: ${differences.length} differ`,
  ];
}

function named(counter: string): string {
  const window = windowOfName(counter);
  return window ? `${window.kind} of ${new Date(window.startMs).toISOString().slice(0, 16)}Z` : 'all time';
}

function bytes({ upBytes, downBytes }: ByteCount): number {
  return upBytes + downBytes;
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => row.map((cell, column) => cell.padStart(widths[column] ?? 0)).join('  '));
}

try {
  process.exitCode = (await command()) ? 0 : 1;
} catch (error) {
  console.error(`ledger:drift: ${messageOf(error)}`);
  process.exitCode = 2;
}

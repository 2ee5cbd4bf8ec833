// `npm test`: lint, types and every test file; ends with one line `N passed, N failed, N skipped`.
import { spawn } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { installPeers } from './support/peers.ts';
import { startSharedPostgres } from './support/postgres.ts';
import { createFileRuns, workOff } from './support/run-files.ts';

const root = path.resolve(import.meta.dirname, '..');
const bin = path.join(root, 'node_modules', '.bin');
const long = process.argv.includes('--long');
const peers = [
  'redis-server',
  'freeradius',
  'freeradius-utils',
  'freeradius-postgresql',
  'prometheus',
  'softflowd',
  'nfdump',
  'pmacct',
  'chromium',
  'tshark',
  'eapoltest',
  'openssl',
  'radsecproxy',
];

/** Beside the tests that start the whole product. Others wait for their peers most of the time. */
const othersAtOnce = 2;

function check(title: string, command: string, args: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(path.join(bin, command), args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.on('close', (code) => {
      console.log(`${code === 0 ? 'ok' : 'not ok'}: ${title}`);
      if (code !== 0) console.log(output);
      resolve(code === 0);
    });
  });
}

for (const line of installPeers(peers)) console.log(line);

const named = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const files = named.length > 0 ? named : globSync('test/**/*.test.ts', { cwd: root }).sort();
const startsAll = (file: string) => readFileSync(path.resolve(root, file), 'utf8').includes('startStack(');
const postgres = await startSharedPostgres();
try {
  const { run, tally } = createFileRuns({
    environment: { ...postgres.environment, ...(long ? { LASTMILE_TEST_LONG: '1' } : {}) },
    ...{ deadlineS: long ? 3600 : 300, longestS: long ? 7200 : 900 },
    tell: (line) => console.log(line),
  });
  const checks: boolean[] = [];
  const { whole = [], others = [] } = Object.groupBy(files, (file) => (startsAll(file) ? 'whole' : 'others'));
  await workOff(
    othersAtOnce,
    whole.map((file) => () => run(file)),
    [
      async () => void checks.push(await check('types', 'tsc', ['--noEmit'])),
      async () => void checks.push(await check('lint', 'biome', ['check', '.'])),
      ...others.map((file) => () => run(file)),
    ],
  );
  const failedChecks = checks.filter((ok) => !ok).length;
  const failed = tally.failed + failedChecks;
  console.log(`${tally.passed + checks.length - failedChecks} passed, ${failed} failed, ${tally.skipped} skipped`);
  process.exitCode = failed === 0 ? 0 : 1;
} finally {
  await postgres.stop();
}

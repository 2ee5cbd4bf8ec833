// `npm test`: lint, types, then every test file under tap; ends with one line `N passed, N failed, N skipped`.
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { installPeers } from './support/peers.ts';
import { startSharedPostgres } from './support/postgres.ts';
import { createTapReader } from './support/tap-reader.ts';

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

async function runTap(files: readonly string[], environment: Record<string, string>) {
  const timeoutS = long ? 3600 : 300;
  const child = spawn(
    path.join(bin, 'tap'),
    ['run', '--disable-coverage', '--jobs=2', `--timeout=${timeoutS}`, '--reporter=tap', ...files],
    { cwd: root, stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...environment } },
  );
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  const reader = createTapReader((line) => console.log(line));
  for await (const line of createInterface({ input: child.stdout })) reader.line(line);
  return { ok: (await closed) === 0, ...reader.tally() };
}

const checks = await Promise.all([check('lint', 'biome', ['check', '.']), check('types', 'tsc', ['--noEmit'])]);
const failedChecks = checks.filter((ok) => !ok).length;

for (const line of installPeers(peers)) console.log(line);

const named = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const files = named.length > 0 ? named : globSync('test/**/*.test.ts', { cwd: root }).sort();
const postgres = await startSharedPostgres();
try {
  const tap = await runTap(files, { ...postgres.environment, ...(long ? { LASTMILE_TEST_LONG: '1' } : {}) });
  const failed = tap.failed + failedChecks;
  console.log(`${tap.passed + checks.length - failedChecks} passed, ${failed} failed, ${tap.skipped} skipped`);
  process.exitCode = failed === 0 && tap.ok ? 0 : 1;
} finally {
  await postgres.stop();
}

// `npm test`: lint, types, then every test file under tap; ends with one line `N passed, N failed, N skipped`.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { installPeers } from './support/peers.ts';
import { startSharedPostgres } from './support/postgres.ts';
import { tally } from './support/tally.ts';

const root = path.resolve(import.meta.dirname, '..');
const bin = path.join(root, 'node_modules', '.bin');
const long = process.argv.includes('--long');

function check(title: string, command: string, args: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(path.join(bin, command), args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('close', (code) => {
      console.log(`${code === 0 ? 'ok' : 'not ok'}: ${title}`);
      if (code !== 0) console.log(output);
      resolve(code === 0);
    });
  });
}

const checks = await Promise.all([check('lint', 'biome', ['check', '.']), check('types', 'tsc', ['--noEmit'])]);
const failedChecks = checks.filter((ok) => !ok).length;

for (const line of installPeers(['redis-server', 'freeradius', 'freeradius-utils'])) console.log(line);

const scratch = mkdtempSync(path.join(tmpdir(), 'lastmile-tap-'));
const tapOutput = path.join(scratch, 'output.tap');
const postgres = await startSharedPostgres();
let exitCode = 1;
try {
  const files = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
  const run = spawnSync(
    path.join(bin, 'tap'),
    [
      'run',
      '--disable-coverage',
      '--jobs=2',
      '--timeout=300',
      '--reporter=terse',
      `--output-file=${tapOutput}`,
      ...files,
    ],
    {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, ...postgres.environment, ...(long ? { LASTMILE_TEST_LONG: '1' } : {}) },
    },
  );
  const count = tally(readFileSync(tapOutput, 'utf8'));
  for (const reason of count.skipReasons) console.log(`skipped: ${reason}`);
  const failed = count.failed + failedChecks;
  console.log(`${count.passed + checks.length - failedChecks} passed, ${failed} failed, ${count.skipped} skipped`);
  exitCode = failed === 0 && run.status === 0 ? 0 : 1;
} finally {
  await postgres.stop();
  rmSync(scratch, { recursive: true, force: true });
}
process.exit(exitCode);

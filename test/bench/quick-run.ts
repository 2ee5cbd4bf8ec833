// Runs a bench at its smallest, as a child, and reads the JSON it prints.
import { spawn } from 'node:child_process';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');

/** What `npm run bench:<name> -- --quick --json` prints; rejects when it ends with an error. */
export function quickRun(name: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['ops/run.mjs', `bench/${name}.ts`, '--quick', '--json'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let printed = '';
    let problems = '';
    child.stdout.on('data', (chunk) => (printed += chunk));
    child.stderr.on('data', (chunk) => (problems += chunk));
    child.on('close', (exitCode) => {
      if (exitCode === 0) resolve(JSON.parse(printed));
      else reject(new Error(`bench/${name}.ts ended with ${exitCode}:\n${problems}`));
    });
  });
}

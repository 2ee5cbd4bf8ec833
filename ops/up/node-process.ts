// One of our own processes as a child: its lines go to the terminal, it stops when we are gone.
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Supervised } from './supervise.ts';

export type NodeProcessOptions = {
  name: string;
  /** Relative to the repository. */
  script: string;
  environment: Readonly<Record<string, string>>;
  line(line: string): void;
};

export const repository = path.resolve(import.meta.dirname, '../..');

/** Arguments that run a script the way `npm start` does. */
export const nodeArguments = (script: string, ...rest: string[]) => [
  `--import=${path.join(import.meta.dirname, 'end-with-supervisor.mjs')}`,
  path.join(repository, 'ops/run.mjs'),
  path.resolve(repository, script),
  ...rest,
];

export function createNodeProcess({ name, script, environment, line }: NodeProcessOptions): Supervised {
  let child: ChildProcess | undefined;
  let ended: Promise<string> | undefined;

  return {
    name,
    start: () =>
      new Promise((resolve, reject) => {
        // Its own process group: Ctrl-C reaches only us, and we stop things in order.
        const started = spawn(process.execPath, nodeArguments(script), {
          cwd: repository,
          detached: true,
          stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
          env: { ...environment },
        });
        for (const stream of [started.stdout, started.stderr]) {
          if (stream) createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', line);
        }
        ended = new Promise((settle) => {
          started.once('exit', (code, signal) => settle(signal ? `killed by ${signal}` : `exit code ${code}`));
        });
        started.once('error', reject);
        started.once('spawn', () => {
          child = started;
          resolve();
        });
      }),
    async stop() {
      const running = child;
      if (!running || running.exitCode !== null || running.signalCode !== null) return;
      running.kill('SIGTERM');
      const timer = setTimeout(() => running.kill('SIGKILL'), 20_000);
      await ended;
      clearTimeout(timer);
    },
    ended: () => ended ?? Promise.reject(new Error(`${name} was not started`)),
    abandon: () => void child?.kill('SIGKILL'),
  };
}

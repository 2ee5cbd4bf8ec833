// Debian's FreeRADIUS as a server under test: users in memory, users and accounting in PostgreSQL, or accounting in a detail file.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { freePort } from '#ops/stores/embedded/ports.ts';
import { until } from '#test/support/wait.ts';
import type { Target } from '../../radius/target.ts';

export type FreeradiusOptions = {
  readonly name: string;
  /** Which of the configurations beside this file. */
  readonly configuration: 'files' | 'sql' | 'pool' | 'detail';
  readonly threads: number;
  readonly subscribers: number;
  readonly durability: string;
  /** Below it a folder of its own is made, and removed at the end. */
  readonly folder: string;
  /** Values of $ENV{…} in the configuration. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Writes what the configuration reads from the folder. */
  prepare?(folder: string): void;
  readonly total: (folder: string) => ReturnType<Target['total']>;
  /** Each record is counted when it is answered. */
  readonly counts: boolean;
};

export async function startFreeradius(options: FreeradiusOptions): Promise<Target> {
  const { name, configuration, threads, subscribers } = options;
  mkdirSync(options.folder, { recursive: true });
  const folder = mkdtempSync(path.join(options.folder, `freeradius-${configuration}-`));
  options.prepare?.(folder);
  const [authPort, acctPort] = [await freePort(), await freePort()];
  const child = spawn('freeradius', ['-d', import.meta.dirname, '-n', configuration, '-f'], {
    env: {
      PATH: `${process.env.PATH}:/usr/sbin`,
      BENCH_FOLDER: folder,
      BENCH_THREADS: String(threads),
      BENCH_AUTH_PORT: String(authPort),
      BENCH_ACCT_PORT: String(acctPort),
      ...options.environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (printed += chunk));
  child.on('error', (error) => (printed += error.message));
  const log = path.join(folder, 'radius.log');
  const output = () => `${printed}${existsSync(log) ? readFileSync(log, 'utf8') : ''}`;
  await until(
    () => child.exitCode !== null || output().includes('Ready to process requests'),
    () => `FreeRADIUS is ready; it printed:\n${output()}`,
    120_000,
  );
  if (child.exitCode !== null) throw new Error(`FreeRADIUS ended with ${child.exitCode}; it printed:\n${output()}`);
  return {
    name,
    authPort,
    acctPort,
    durability: options.durability,
    accounts: {
      tenantId: 1,
      subscriptionIds: Array.from({ length: subscribers }, (_, index) => index + 1),
      classKey: '00'.repeat(32),
    },
    whenCounted: options.counts ? async () => undefined : null,
    total: () => options.total(folder),
    output,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGTERM');
        await ended;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

// A Debian program in the foreground, with a configuration of its own: started until it says that it works, killed at the end.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { until } from './wait.ts';

export type PeerProcess = {
  output(): string;
  /** e.g. SIGSTOP, under which it has its ports and answers nothing. */
  signal(name: NodeJS.Signals): void;
  stop(): Promise<void>;
};

export type PeerProcessOptions = {
  program: string;
  /** Given the folder of its own, where `file` is. */
  args(folder: string): readonly string[];
  file: string;
  configuration(folder: string): string;
  /** It prints this when it is ready. */
  ready: string;
};

type Teardown = { teardown(handler: () => unknown): unknown };

export async function startPeer(t: Teardown, options: PeerProcessOptions): Promise<PeerProcess> {
  const { program, args, file, configuration, ready } = options;
  const folder = mkdtempSync(path.join(tmpdir(), `lastmile-${program}-`));
  writeFileSync(path.join(folder, file), configuration(folder), { mode: 0o600 });
  const child = spawn(program, args(folder), {
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (printed += chunk));
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const closed = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await closed;
  };
  t.teardown(async () => {
    await stop();
    rmSync(folder, { recursive: true, force: true });
  });
  await until(
    () => {
      if (child.exitCode !== null) throw new Error(`${program} ended:\n${printed}`);
      return printed.includes(ready);
    },
    () => `${program} is ready; it printed:\n${printed}`,
    20_000,
  );
  return { output: () => printed, signal: (name) => void child.kill(name), stop };
}

// A collector of Debian as a child of a trial: started, waited for until its socket is there, ended by a signal that makes it write what it has.
import { spawn } from 'node:child_process';
import { until } from '#test/support/wait.ts';
import { cpuSecondsOf, descendantsOf } from '../../machine/processes.ts';
import { udpState } from '../../machine/udp-drops.ts';

export type CollectorChild = {
  /** It has worked off everything that its socket held. */
  settled(): Promise<void>;
  end(): Promise<void>;
};

export type CollectorCommand = {
  readonly command: string;
  readonly args: readonly string[];
  readonly port: number;
  /** Makes it write what it has and end. */
  readonly signal: NodeJS.Signals;
  /** What it prints when all of it has started. */
  readonly started: string;
};

/** Working off leaves no trace but CPU time: none for so long means done. */
const quietMs = 500;

export async function startCollector({
  command,
  args,
  port,
  signal,
  started,
}: CollectorCommand): Promise<CollectorChild> {
  const child = spawn(command, args, {
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      printed = `${printed}${chunk}`.slice(-4000);
    });
  }
  child.on('error', (error) => (printed += error.message));
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await until(
    () => child.exitCode !== null || (udpState(port).sockets > 0 && printed.includes(started)),
    () => `${command} has started on ${port}; it printed:\n${printed}`,
    30_000,
  );
  if (child.exitCode !== null) throw new Error(`${command} ended with ${child.exitCode}; it printed:\n${printed}`);
  return {
    async settled() {
      await until(() => udpState(port).waitingBytes === 0, `${command} has read what its socket held`, 60_000);
      const pid = child.pid ?? 0;
      let used = -1;
      let usedAt = 0;
      await until(
        () => {
          const now = cpuSecondsOf([pid, ...descendantsOf(pid)]);
          if (now !== used) usedAt = performance.now();
          used = now;
          return performance.now() - usedAt > quietMs;
        },
        `${command} has worked off what it read`,
        60_000,
      );
    },
    async end() {
      child.kill(signal);
      await closed;
    },
  };
}

// A server process of our own: outside our terminal's process group, logging to a file that outlives us.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, renameSync } from 'node:fs';
import type { OsUser } from './os-user.ts';

export type ServerProcess = {
  pid: number;
  /** The exit in words; resolves once. */
  ended: Promise<string>;
  hasEnded(): boolean;
  kill(signal: NodeJS.Signals): void;
};

export type ServerCommand = {
  command: string;
  args: readonly string[];
  logFile: string;
  user: OsUser | undefined;
  environment?: Readonly<Record<string, string>>;
};

/** Its own session, so that Ctrl-C reaches only the supervisor, which stops things in order. */
export function spawnServer({ command, args, logFile, user, environment = {} }: ServerCommand): Promise<ServerProcess> {
  if (existsSync(logFile)) renameSync(logFile, `${logFile}.1`);
  const log = openSync(logFile, 'a', 0o600);
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: '/',
      detached: true,
      stdio: ['ignore', log, log],
      env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC', ...environment },
      ...(user ? { uid: user.uid, gid: user.gid } : {}),
    });
    closeSync(log);
    let running = true;
    const ended = new Promise<string>((settle) => {
      child.once('exit', (code, signal) => {
        running = false;
        settle(signal ? `killed by ${signal}` : `exit code ${code}`);
      });
    });
    child.once('error', reject);
    child.once('spawn', () => {
      // Whoever started it decides how long to live, not the server.
      child.unref();
      const pid = child.pid;
      if (pid === undefined) return reject(new Error(`${command} has no process id`));
      resolve({ pid, ended, hasEnded: () => !running, kill: (signal) => void child.kill(signal) });
    });
  });
}

/** Runs a program to its end, out of Ctrl-C's reach. @returns undefined when it succeeds, else what it said. */
export function runProgram(
  command: string,
  args: readonly string[],
  user: OsUser | undefined,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: '/',
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { LC_ALL: 'C' },
      ...(user ? { uid: user.uid, gid: user.gid } : {}),
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code) => resolve(code === 0 ? undefined : output.trim() || `exit code ${code}`));
  });
}

/** Asks with each signal in turn, giving each its time. */
export async function stopServer(
  server: ServerProcess,
  steps: readonly (readonly [NodeJS.Signals, timeoutMs: number])[],
): Promise<void> {
  for (const [signal, timeoutMs] of steps) {
    if (server.hasEnded()) return;
    server.kill(signal);
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([server.ended, new Promise((resolve) => (timer = setTimeout(resolve, timeoutMs)))]);
    clearTimeout(timer);
  }
}

export function lastLines(logFile: string, count = 12): string {
  if (!existsSync(logFile)) return '(no log)';
  return readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-count).join('\n');
}

// Runs test files, each in a process of its own, and tells one line for each; what failed in full.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { createTapReader } from './tap-reader.ts';

export type Tally = { passed: number; failed: number; skipped: number };

export type RunOptions = {
  environment: Readonly<Record<string, string>>;
  /** For the tests of a file that set no deadline themselves. */
  deadlineS: number;
  /** A file that has not ended by then hangs, whatever deadlines it set itself. */
  longestS: number;
  tell(line: string): void;
};

const root = path.resolve(import.meta.dirname, '../..');

/** After its last test a file takes its servers down, and ends: something that it left open must not hold up the run. */
const endS = 60;

export function createFileRuns({ environment, deadlineS, longestS, tell }: RunOptions) {
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 };

  async function run(file: string): Promise<void> {
    const began = performance.now();
    const child = spawn(process.execPath, [file], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...environment, TAP_TIMEOUT: String(deadlineS) },
    });
    const ended = new Promise<string>((resolve) =>
      child.once('exit', (code, signal) => resolve(signal ? `killed by ${signal}` : `exit code ${code}`)),
    );
    let hangs = setTimeout(() => child.kill('SIGKILL'), longestS * 1000);
    const reader = createTapReader();
    const output = createInterface({ input: child.stdout });
    output.on('line', (line) => {
      reader.line(line);
      if (!/^1\.\.\d/.test(line)) return;
      clearTimeout(hangs);
      hangs = setTimeout(() => child.kill('SIGKILL'), endS * 1000);
    });
    const read = new Promise((resolve) => output.once('close', resolve));
    const end = await ended;
    clearTimeout(hangs);
    await read;
    const { passed, failed, skipped, lines } = reader.report();
    // One that broke outside its tests has one failure.
    const failures = end === 'exit code 0' ? failed : Math.max(1, failed);
    const took = `${((performance.now() - began) / 1000).toFixed(1)} s`;
    tell(`${failures > 0 ? 'not ok' : 'ok'}: ${file} (${passed + failures} tests, ${took})`);
    for (const one of skipped) tell(`skipped: ${one}`);
    if (failures > 0) for (const line of [...lines, end]) tell(line);
    tally.passed += passed;
    tally.failed += failures;
    tally.skipped += skipped.length;
  }

  return { run, tally };
}

type Job = () => Promise<void>;

/** Heavy jobs one after the other, beside them `lightAtOnce` light ones; who has no more work of the own kind takes the other. */
export async function workOff(lightAtOnce: number, heavy: readonly Job[], light: readonly Job[]): Promise<void> {
  const [heavyOnes, lightOnes] = [heavy.values(), light.values()];
  const lane = async (...queues: readonly Iterable<Job>[]) => {
    for (const queue of queues) for (const job of queue) await job();
  };
  await Promise.all([
    lane(heavyOnes, lightOnes),
    ...Array.from({ length: lightAtOnce }, () => lane(lightOnes, heavyOnes)),
  ]);
}

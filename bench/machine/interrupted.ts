// Ctrl-C in the middle of a bench: what it started ends with it, at the first signal and whatever the bench is waiting for.
import { descendantsOf, startOf } from './processes.ts';

/**
 * How they are asked in turn, and how long each has then. To PostgreSQL SIGTERM means to wait for its clients, of which this process is one, and
 * SIGINT to end; programs of ours end at once at the second signal.
 */
const steps: readonly (readonly [NodeJS.Signals, forMs: number])[] = [
  ['SIGTERM', 4000],
  ['SIGINT', 4000],
  ['SIGKILL', 4000],
];
const lookAgainMs = 50;

export function endTogether(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      console.error(`${signal}: ending everything`);
      endAll(descendantsOf(process.pid));
      process.exit(130);
    });
  }
}

/** Without returning to the event loop: nothing else of the bench goes on, and nothing of it fails because its servers are gone. */
function endAll(pids: readonly number[]): void {
  const startedAt = new Map(pids.map((pid) => [pid, startOf(pid)]));
  // A number may belong to somebody else by now.
  const left = () => pids.filter((pid) => startedAt.get(pid) !== undefined && startOf(pid) === startedAt.get(pid));
  const nothing = new Int32Array(new SharedArrayBuffer(4));
  for (const [signal, forMs] of steps) {
    for (const pid of left()) send(pid, signal);
    const until = performance.now() + forMs;
    while (left().length > 0 && performance.now() < until) Atomics.wait(nothing, 0, 0, lookAgainMs);
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It was quicker.
  }
}

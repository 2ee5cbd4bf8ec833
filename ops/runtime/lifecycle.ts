// Starts the parts of a process in order and stops them in reverse, each with a deadline.
import { messageOf } from './errors.ts';
import type { Logger } from './log.ts';
import { myTurn, onRelease, standsBy, tellSupervisor } from './succession.ts';

export type Part = {
  name: string;
  /** What `start` needs and may be done while a predecessor still runs: it takes no lock, no port and no place in a queue. */
  prepare?(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Milliseconds `stop` may take before the next part is stopped regardless; default 5000. */
  stopTimeoutMs?: number;
  /** A successor waits: `stop`, which follows, may be patient with what it would otherwise cut off. */
  release?(): void;
};

export type Running = { stop(): Promise<void> };

/** Starts `parts` in order. When one fails, those already started are stopped and the error is thrown. */
export async function startAll(parts: readonly Part[], log: Logger): Promise<Running> {
  const started: Part[] = [];
  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= stopAll(started.toReversed(), log);
    return stopping;
  };
  for (const part of parts) {
    try {
      await part.start();
      started.push(part);
    } catch (error) {
      await stop();
      throw new Error(`${part.name} did not start: ${messageOf(error)}`, { cause: error });
    }
  }
  return { stop };
}

/**
 * Runs a process: start everything, wait for SIGINT or SIGTERM, stop everything, exit. A second signal exits at once. A process that is to
 * replace another one prepares, and starts when its supervisor says that the other one is gone.
 */
export async function run(parts: readonly Part[], log: Logger): Promise<void> {
  process.on('uncaughtException', (error) => die(log, 'unexpected error', error));
  process.on('unhandledRejection', (error) => die(log, 'unhandled rejection', error));
  let running: Running | undefined;
  let asked = false;
  const onSignal = (signal: string) => {
    if (asked) process.exit(130);
    asked = true;
    log.info({ signal }, 'stopping');
    void (running?.stop() ?? Promise.resolve()).finally(() => process.exit(0));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  onRelease(() => {
    for (const part of parts) part.release?.();
    if (!asked) onSignal('release');
  });
  try {
    if (standsBy()) {
      for (const part of parts) await part.prepare?.();
      await myTurn();
    }
    running = await startAll(parts, log);
    log.info('ready');
    tellSupervisor({ type: 'ready' });
  } catch (error) {
    die(log, 'start failed', error);
  }
}

/** Ends the process with the reason: the supervisor restarts it. Limping on with half a process is worse. */
export function die(log: Logger, reason: string, error: unknown): never {
  log.fatal({ err: error }, reason);
  process.exit(1);
}

async function stopAll(parts: readonly Part[], log: Logger): Promise<void> {
  for (const part of parts) {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('deadline passed')), part.stopTimeoutMs ?? 5000);
    });
    try {
      await Promise.race([part.stop(), deadline]);
    } catch (error) {
      log.error({ part: part.name, err: error }, 'part did not stop cleanly');
    } finally {
      clearTimeout(timer);
    }
  }
}

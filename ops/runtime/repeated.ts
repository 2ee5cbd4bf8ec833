// Work that is done again and again, one run at a time; a failure is told once, until it works again.
import { messageOf } from './errors.ts';
import type { Part } from './lifecycle.ts';
import type { Logger } from './log.ts';

export type Repeated = Part & {
  /** Runs now, or waits for the run that is under way. Never rejects. */
  run(): Promise<void>;
};

export type RepeatedOptions = {
  readonly name: string;
  readonly everyMs: number;
  readonly log: Pick<Logger, 'warn'>;
  /** What is told when a run fails: a whole sentence. */
  readonly problem: string;
};

export function createRepeated({ name, everyMs, log, problem }: RepeatedOptions, work: () => Promise<void>): Repeated {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let failing = false;

  async function once(): Promise<void> {
    try {
      await work();
      failing = false;
    } catch (error) {
      if (!failing) log.warn({ reason: messageOf(error) }, problem);
      failing = true;
    }
  }

  async function run(): Promise<void> {
    running ??= once().finally(() => {
      running = undefined;
    });
    await running;
  }

  return {
    name,
    run,
    async start() {
      timer ??= setInterval(() => void run(), everyMs);
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      await running;
    },
  };
}

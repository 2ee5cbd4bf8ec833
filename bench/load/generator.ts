// The bench's side of the generator process: starts it on its core, gives it work, hears when the measured span begins and ends.
import path from 'node:path';
import { spawnPinned } from '../machine/pinned-child.ts';
import type { FromGenerator, Preparation, RunPlan, RunResult, ToGenerator } from './protocol.ts';

export type Generator = {
  readonly pid: number;
  /** Answers how many packets there are. */
  prepare(preparation: Preparation): Promise<number>;
  run(plan: RunPlan, span?: MeasuredSpan): Promise<RunResult>;
  stop(): Promise<void>;
};

/** Called when the measured span begins and ends. */
export type MeasuredSpan = { begins(): void; ends(): void };

/** @param cores as `taskset -c` takes them */
export function startGenerator(cores: string): Generator {
  const child = spawnPinned<ToGenerator, FromGenerator>(path.join(import.meta.dirname, 'generator-process.ts'), cores);
  return {
    pid: child.pid,
    async prepare(preparation) {
      child.tell({ type: 'prepare', preparation });
      return (await child.answer('prepared')).packets;
    },
    async run(plan, span) {
      child.tell({ type: 'run', plan });
      const { result } = await child.answer('result', ({ type }) => {
        if (type === 'measuring') span?.begins();
        if (type === 'measured') span?.ends();
      });
      return result;
    },
    stop: child.stop,
  };
}

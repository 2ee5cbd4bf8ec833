// The bench's side of the generator process: starts it on its core, gives it work, hears when the measured span begins and ends.
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
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

const script = path.join(import.meta.dirname, 'generator-process.ts');

/** @param cores as `taskset -c` takes them */
export async function startGenerator(cores: string): Promise<Generator> {
  const child = spawn('taskset', ['-c', cores, process.execPath, script], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  await answer(child, 'ready');
  return {
    pid: child.pid ?? 0,
    async prepare(preparation) {
      const prepared = answer(child, 'prepared');
      tell(child, { type: 'prepare', preparation });
      return (await prepared).packets;
    },
    async run(plan, span) {
      const result = answer(child, 'result', span);
      tell(child, { type: 'run', plan });
      return (await result).result;
    },
    stop: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once('exit', () => resolve());
        child.kill('SIGTERM');
      }),
  };
}

/** The next message of this type; rejects when the generator fails or ends before it. */
function answer<T extends FromGenerator['type']>(
  child: ChildProcess,
  type: T,
  span?: MeasuredSpan,
): Promise<Extract<FromGenerator, { type: T }>> {
  return new Promise((resolve, reject) => {
    const finish = () => {
      child.off('message', hear);
      child.off('exit', ended);
      child.off('error', failed);
    };
    const failed = (error: Error) => {
      finish();
      reject(error);
    };
    const ended = (exitCode: number | null) => failed(new Error(`the generator ended with ${exitCode}`));
    const hear = (message: FromGenerator) => {
      if (message.type === 'failed') return failed(new Error(message.reason));
      if (message.type === 'measuring') span?.begins();
      if (message.type === 'measured') span?.ends();
      if (message.type !== type) return;
      finish();
      resolve(message as Extract<FromGenerator, { type: T }>);
    };
    child.on('message', hear);
    child.on('exit', ended);
    child.on('error', failed);
  });
}

function tell(child: ChildProcess, message: ToGenerator): void {
  child.send(message);
}

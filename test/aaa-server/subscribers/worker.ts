// A worker thread with its own reader of the snapshot, as a RADIUS worker has it: asks the reader what it is told to.
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { openSnapshotReader } from '#aaa-server/subscribers/reader.ts';
import type { SnapshotReader } from '#aaa-server/subscribers/records.ts';

type Question = { id: number; method: keyof SnapshotReader; args: unknown[] };

export type WorkerReader = {
  /** The answer of `method(...args)` of the reader in the worker thread. */
  ask<T>(method: keyof SnapshotReader, ...args: unknown[]): Promise<T>;
  stop(): Promise<unknown>;
};

export function startWorkerReader(path: string): WorkerReader {
  const worker = new Worker(new URL(import.meta.url), { workerData: { path } });
  const waiting = new Map<number, (answer: unknown) => void>();
  let asked = 0;
  worker.on('message', ({ id, answer }: { id: number; answer: unknown }) => {
    waiting.get(id)?.(answer);
    waiting.delete(id);
  });
  return {
    ask: <T>(method: keyof SnapshotReader, ...args: unknown[]) =>
      new Promise<T>((resolve) => {
        const id = ++asked;
        waiting.set(id, resolve as (answer: unknown) => void);
        worker.postMessage({ id, method, args } satisfies Question);
      }),
    stop: () => worker.terminate(),
  };
}

if (parentPort && workerData?.path) {
  const reader = openSnapshotReader({ path: workerData.path });
  parentPort.on('message', ({ id, method, args }: Question) => {
    const call = reader[method] as (...args: unknown[]) => unknown;
    parentPort?.postMessage({ id, answer: call(...args) });
  });
}

// The worker threads of a process, from its main thread: started one after the other, asked for reports, stopped together.
import { type TransferListItem, Worker } from 'node:worker_threads';
import type { Part } from './lifecycle.ts';
import type { Logger } from './log.ts';

/** What every worker understands beside what is said only in its process. `stop`: finish what was accepted, close everything, answer `stopped`, end. */
export type GroupOrder = { readonly type: 'stop' } | { readonly type: 'report'; readonly id: number };

/** What every worker answers. */
export type GroupAnswer<Report> =
  | { readonly type: 'report'; readonly id: number; readonly report: Report }
  | { readonly type: 'stopped' };

export type WorkerGroupOptions<Own extends { readonly type: string }> = {
  /** Of the threads, in logs and errors. */
  readonly name: string;
  readonly count: number;
  readonly script: URL;
  readonly log: Logger;
  /** `workerData` of a worker. */
  dataOf(index: number): unknown;
  /** What a worker says of its own accord. A message of type `ready` says that it works: the next one is started then. */
  onMessage(message: Own, index: number): void;
  /** A worker ended by itself: the process must end too. */
  onFatal(error: Error): void;
};

export type WorkerGroup<Order, Report> = Part & {
  tell(index: number, order: Order, transfer?: readonly TransferListItem[]): void;
  tellAll(order: Order): void;
  /** Of those that answer within a second. */
  reports(): Promise<Report[]>;
};

type Running<Report> = {
  readonly worker: Worker;
  readonly ended: Promise<void>;
  report(): Promise<Report | undefined>;
};

const reportTimeoutMs = 1000;
const drainMs = 4000;

export function createWorkerGroup<Order, Own extends { readonly type: string }, Report>(
  options: WorkerGroupOptions<Own>,
): WorkerGroup<Order, Report> {
  const { name, count, script, log, dataOf, onMessage, onFatal } = options;
  const running: Running<Report>[] = [];
  let stopping = false;

  async function startWorker(index: number): Promise<void> {
    const worker = new Worker(script, { workerData: dataOf(index), name: `${name} ${index}` });
    const waiting = new Map<number, (report: Report | undefined) => void>();
    let lastReport = 0;
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    void ended.then(() => {
      for (const answer of waiting.values()) answer(undefined);
    });
    running.push({
      worker,
      ended,
      report: () =>
        new Promise((resolve) => {
          const id = ++lastReport;
          const timer = setTimeout(() => answer(undefined), reportTimeoutMs);
          const answer = (report: Report | undefined) => {
            clearTimeout(timer);
            waiting.delete(id);
            resolve(report);
          };
          waiting.set(id, answer);
          order(worker, { type: 'report', id });
        }),
    });
    await new Promise<void>((resolve, reject) => {
      let ready = false;
      let failed = false;
      const fail = (error: Error) => {
        if (stopping || failed) return;
        failed = true;
        if (ready) onFatal(error);
        else reject(error);
      };
      worker.on('error', (error) => fail(new Error(`${name} worker ${index} died`, { cause: error })));
      worker.on('exit', (exitCode) => fail(new Error(`${name} worker ${index} ended with ${exitCode}`)));
      worker.on('message', (message: GroupAnswer<Report> | Own) => {
        if (isAnswer(message)) {
          if (message.type === 'report') waiting.get(message.id)?.(message.report);
          return;
        }
        onMessage(message, index);
        if (message.type !== 'ready') return;
        ready = true;
        resolve();
      });
    });
  }

  async function stop(): Promise<void> {
    stopping = true;
    for (const { worker } of running) order(worker, { type: 'stop' });
    const deadline = setTimeout(() => {
      log.warn(`${name} workers did not drain in time`);
      for (const { worker } of running) void worker.terminate();
    }, drainMs);
    await Promise.all(running.map(({ ended }) => ended));
    clearTimeout(deadline);
  }

  return {
    name: `${name} workers`,
    stopTimeoutMs: drainMs + 1000,
    async start() {
      try {
        for (let index = 0; index < count; index++) await startWorker(index);
      } catch (error) {
        await stop();
        throw error;
      }
    },
    stop,
    tell: (index, message, transfer) => running[index]?.worker.postMessage(message, transfer),
    tellAll(message) {
      for (const { worker } of running) worker.postMessage(message);
    },
    reports: async () =>
      (await Promise.all(running.map(({ report }) => report()))).filter((report) => report !== undefined),
  };
}

function isAnswer<Report>(message: GroupAnswer<Report> | { readonly type: string }): message is GroupAnswer<Report> {
  return message.type === 'report' || message.type === 'stopped';
}

function order(worker: Worker, message: GroupOrder): void {
  worker.postMessage(message);
}

// The worker threads of a process, from its main thread: started one after the other, asked for reports, stopped together.
import type { TransferListItem, Worker } from 'node:worker_threads';
import type { Part } from './lifecycle.ts';
import type { Logger } from './log.ts';
import { tellSupervisor } from './succession.ts';
import { loadWorker } from './worker-begin.ts';

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
  /** As `loadWorker` takes it. */
  readonly youngHeapMb?: number;
  readonly log: Logger;
  /** All at once; else each when the one before works, as what the first one says is for the others. */
  readonly together: boolean;
  /** What a worker begins with. */
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
  /** Its program is loaded. */
  readonly loaded: Promise<void>;
  /** Gives it its settings; resolves when it works. Before that it hears nothing. */
  begin(settings: unknown): Promise<void>;
  hasBegun(): boolean;
  report(): Promise<Report | undefined>;
};

const reportTimeoutMs = 1000;
const drainMs = 4000;

export function createWorkerGroup<Order, Own extends { readonly type: string }, Report>(
  options: WorkerGroupOptions<Own>,
): WorkerGroup<Order, Report> {
  const { name, count, script, youngHeapMb, log, together, dataOf, onMessage, onFatal } = options;
  const running: Running<Report>[] = [];
  let stopping = false;

  function load(index: number): Running<Report> {
    const { worker, loaded, begin } = loadWorker(script, `${name} ${index}`, youngHeapMb);
    const ready = Promise.withResolvers<void>();
    ready.promise.catch(() => undefined);
    const waiting = new Map<number, (report: Report | undefined) => void>();
    let lastReport = 0;
    let begun = false;
    let works = false;
    let failed = false;
    const fail = (error: Error) => {
      if (stopping || failed) return;
      failed = true;
      if (works) onFatal(error);
      else ready.reject(error);
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
      works = true;
      ready.resolve();
    });
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    void ended.then(() => {
      for (const answer of waiting.values()) answer(undefined);
    });
    return {
      worker,
      ended,
      loaded,
      begin(settings) {
        begun = true;
        begin(settings);
        return ready.promise;
      },
      hasBegun: () => begun,
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
    };
  }

  const loadAll = () => {
    while (running.length < count) running.push(load(running.length));
  };

  const begunOnes = () => running.filter(({ hasBegun }) => hasBegun());

  async function stop(): Promise<void> {
    stopping = true;
    tellSupervisor({ type: 'closing' });
    for (const { worker, hasBegun } of running) {
      if (hasBegun()) order(worker, { type: 'stop' });
      else void worker.terminate();
    }
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
    async prepare() {
      loadAll();
      await Promise.all(running.map(({ loaded }) => loaded));
    },
    async start() {
      try {
        loadAll();
        const beginOne = ({ begin }: Running<Report>, index: number) => begin(dataOf(index));
        if (together) await Promise.all(running.map(beginOne));
        else for (const [index, one] of running.entries()) await beginOne(one, index);
        tellSupervisor({ type: 'serving' });
      } catch (error) {
        await stop();
        throw error;
      }
    },
    stop,
    tell(index, message, transfer) {
      const told = running[index];
      if (told?.hasBegun()) told.worker.postMessage(message, transfer);
    },
    tellAll(message) {
      for (const { worker } of begunOnes()) worker.postMessage(message);
    },
    reports: async () =>
      (await Promise.all(begunOnes().map(({ report }) => report()))).filter((report) => report !== undefined),
  };
}

function isAnswer<Report>(message: GroupAnswer<Report> | { readonly type: string }): message is GroupAnswer<Report> {
  return message.type === 'report' || message.type === 'stopped';
}

function order(worker: Worker, message: GroupOrder): void {
  worker.postMessage(message);
}

// The main thread's side of the RADIUS workers: starts and stops them, hears their events, shows what they count.
import { Worker } from 'node:worker_threads';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import type { Registry } from '#ops/runtime/metrics.ts';
import { assertPortFree } from '#ops/runtime/udp.ts';
import { registerCounterMetrics } from './counter-metrics.ts';
import { createCounterBuffer } from './counters.ts';
import { oncePerScrape } from './once-per-scrape.ts';
import type { FromWorker, ToWorker, WorkerReport, WorkerSettings } from './protocol.ts';
import { mergeNasActivities, type NasActivity } from './radius/nas-activity.ts';
import { mergeUnknownClients, type UnknownClient } from './radius/unknown-clients.ts';
import { registerReportMetrics } from './report-metrics.ts';

export type WorkersOptions = {
  readonly count: number;
  /** The same for all but what tells them apart. */
  readonly settings: Omit<WorkerSettings, 'index' | 'walFolder' | 'counters'>;
  walFolder(index: number): string;
  readonly registry: Registry;
  readonly log: Logger;
  /** Partitions in which a session opened or a threshold was crossed. */
  onEvents(partitions: ReadonlySet<number>): void;
  /** A worker ended by itself: the process must end too. */
  onFatal(error: Error): void;
  /** The program of a worker; another one in tests. */
  readonly script?: URL;
};

export type Workers = Part & {
  /** After `start`. */
  ports(): { readonly authPort: number; readonly acctPort: number };
  /** Sources that are no NAS of ours, most packets first. */
  unknownClients(): Promise<UnknownClient[]>;
  /** What each access server sends, by NAS id. */
  nasActivities(): Promise<ReadonlyMap<number, NasActivity>>;
};

type Running = {
  readonly worker: Worker;
  readonly ended: Promise<void>;
  report(): Promise<WorkerReport | undefined>;
};

const reportTimeoutMs = 1000;
const drainMs = 4000;

export function createWorkers(options: WorkersOptions): Workers {
  const { count, settings, registry, log, onEvents, onFatal } = options;
  const script = options.script ?? new URL('./radius.worker.ts', import.meta.url);
  const running: Running[] = [];
  const counters: SharedArrayBuffer[] = [];
  let bound = { authPort: settings.authPort, acctPort: settings.acctPort };
  let stopping = false;

  registerCounterMetrics(registry, () => counters.map((buffer) => new Float64Array(buffer)));
  const reports = async () =>
    (await Promise.all(running.map(({ report }) => report()))).filter((report) => report !== undefined);
  const reportsOfScrape = oncePerScrape(reports);

  async function startWorker(index: number): Promise<void> {
    const buffer = createCounterBuffer();
    const workerData: WorkerSettings = {
      ...settings,
      ...bound,
      index,
      walFolder: options.walFolder(index),
      counters: buffer,
    };
    const worker = new Worker(script, { workerData, name: `radius ${index}` });
    const waiting = new Map<number, (report: WorkerReport | undefined) => void>();
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
          const answer = (report: WorkerReport | undefined) => {
            clearTimeout(timer);
            waiting.delete(id);
            resolve(report);
          };
          waiting.set(id, answer);
          tell(worker, { type: 'report', id });
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
      worker.on('error', (error) => fail(new Error(`radius worker ${index} died`, { cause: error })));
      worker.on('exit', (exitCode) => fail(new Error(`radius worker ${index} ended with ${exitCode}`)));
      worker.on('message', (message: FromWorker) => {
        switch (message.type) {
          case 'ready':
            ready = true;
            counters.push(buffer);
            bound = { authPort: message.authPort, acctPort: message.acctPort };
            log.info({ worker: index, addresses: settings.addresses, ...bound, udp: message.udpDriver }, 'listening');
            return resolve();
          case 'events':
            return onEvents(message.partitions);
          case 'report':
            return waiting.get(message.id)?.(message.report);
          case 'stopped':
            return;
          default:
            message satisfies never;
        }
      });
    });
  }

  async function stop(): Promise<void> {
    stopping = true;
    for (const { worker } of running) tell(worker, { type: 'stop' });
    const deadline = setTimeout(() => {
      log.warn('radius workers did not drain in time');
      for (const { worker } of running) void worker.terminate();
    }, drainMs);
    await Promise.all(running.map(({ ended }) => ended));
    clearTimeout(deadline);
  }

  return {
    name: 'radius workers',
    stopTimeoutMs: drainMs + 1000,
    async start() {
      if (settings.authPort !== 0) await assertPortFree(settings.addresses, settings.authPort);
      if (settings.acctPort !== 0) await assertPortFree(settings.addresses, settings.acctPort);
      // The first one alone: it says which ports the system chose, when it was asked to.
      try {
        for (let index = 0; index < count; index++) await startWorker(index);
      } catch (error) {
        await stop();
        throw error;
      }
      registerReportMetrics(registry, await reports(), reportsOfScrape);
    },
    stop,
    ports: () => bound,
    unknownClients: async () => mergeUnknownClients((await reports()).map(({ unknownClients }) => unknownClients)),
    nasActivities: async () => mergeNasActivities((await reportsOfScrape()).map(({ nasActivities }) => nasActivities)),
  };
}

function tell(worker: Worker, message: ToWorker): void {
  worker.postMessage(message);
}

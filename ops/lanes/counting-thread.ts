// A log that is applied in a thread of its own: whoever appends to it, and answers when a record is on disk, is never held up by counting.
import type { Worker } from 'node:worker_threads';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import type { Registry } from '#ops/runtime/metrics.ts';
import { oncePerScrape } from '#ops/runtime/once-per-scrape.ts';
import { type HasMetrics, registerReportMetrics } from '#ops/runtime/report-metrics.ts';
import { type LoadedWorker, loadWorker } from '#ops/runtime/worker-begin.ts';
import { type SharedWalState, shareWal, type WalNews, type WalOrder } from '../wal/shared-wal.ts';
import type { WalOptions } from '../wal/wal.ts';
import { type Append, createAppender } from './appender.ts';
import { openLog } from './ledger-log.ts';
import type { LogMetrics } from './metrics.ts';

export type CountedLogOptions = WalOptions & {
  metrics: LogMetrics;
  /** Where the metrics of the thread are shown, added to those that are there already: it has none that `metrics` lacks. */
  registry: Registry;
  log: Logger;
  /** The program of the thread: it speaks {@link FromCounting} and hears {@link ToCounting}. */
  script: URL;
  /** It has loaded its program already; missing: it does when applying begins. */
  thread?: LoadedWorker | undefined;
  /** What the thread begins with. */
  dataOf(wal: SharedWalState): unknown;
  /** Partitions in which enforcement has something to look at. */
  onEvents(partitions: ReadonlySet<number>): void;
};

export type CountedLog = Part & {
  append: Append;
  /** Nothing more is applied here; appending goes on until `stop`. May be called again. */
  endCounting(): Promise<void>;
};

export type ToCounting = WalNews | { readonly type: 'report'; readonly id: number } | { readonly type: 'stop' };

export type FromCounting =
  | WalOrder
  | ({ readonly type: 'report'; readonly id: number } & HasMetrics)
  /** Applying has begun. */
  | ({ readonly type: 'ready' } & HasMetrics)
  | { readonly type: 'events'; readonly partitions: ReadonlySet<number> };

/** Shorter than whoever asks for all metrics waits. */
const reportTimeoutMs = 500;
const stopTimeoutMs = 3000;

/**
 * Opens the WAL, so that records can be kept at once; applying begins with `start`.
 * @throws {WalInUse} while another thread or process has it open.
 */
export async function openCountedLog(options: CountedLogOptions): Promise<CountedLog> {
  const { metrics, registry, log, script, dataOf, onEvents } = options;
  const wal = await openLog(options);
  const owner = shareWal(wal, (news) => tell(news));
  const waiting = new Map<number, (report: HasMetrics) => void>();
  let worker: Worker | undefined;
  let ended: Promise<unknown> = Promise.resolve();
  let ending: Promise<void> | undefined;
  let stopping = false;
  let lastId = 0;
  let lastReport: HasMetrics = { metrics: [] };

  function tell(message: ToCounting): void {
    worker?.postMessage(message);
  }

  /** The last one when there is no answer in time, and at once when nobody is there to answer any more. */
  function report(): Promise<HasMetrics> {
    if (stopping) return Promise.resolve(lastReport);
    return new Promise((resolve) => {
      const id = ++lastId;
      const answer = (found: HasMetrics) => {
        clearTimeout(timer);
        waiting.delete(id);
        lastReport = found;
        resolve(found);
      };
      const timer = setTimeout(() => answer(lastReport), reportTimeoutMs);
      waiting.set(id, answer);
      tell({ type: 'report', id });
    });
  }

  function hear(message: FromCounting): void {
    switch (message.type) {
      case 'wal_order':
        owner.hear(message);
        return;
      case 'report':
        waiting.get(message.id)?.(message);
        return;
      case 'events':
        onEvents(message.partitions);
        return;
      case 'ready':
        lastReport = message;
        registerReportMetrics(
          registry,
          [message],
          oncePerScrape(async () => [await report()]),
        );
        return;
      default:
        message satisfies never;
    }
  }

  async function begin(): Promise<void> {
    const thread = options.thread ?? loadWorker(script, `counting ${wal.id}`);
    const gone = await Promise.race([thread.ended, undefined]);
    if (gone) throw new Error(`the thread that counts ${wal.id} had ended before it began`, { cause: gone });
    worker = thread.worker;
    worker.on('message', hear);
    // Uncaught here: this thread ends too, and with it the process, which is started again.
    const fail = (error: Error) => {
      if (!stopping) throw error;
    };
    worker.on('error', (error) => fail(new Error(`counting ${wal.id} died`, { cause: error })));
    worker.on('exit', (exitCode) => fail(new Error(`counting ${wal.id} ended with ${exitCode}`)));
    ended = thread.ended;
    thread.begin(dataOf(owner.state()));
  }

  async function endThread(): Promise<void> {
    // What is shown from now on.
    if (worker) void report();
    stopping = true;
    tell({ type: 'stop' });
    const deadline = setTimeout(() => {
      log.warn({ wal: wal.id }, 'the thread that counts did not end in time');
      void worker?.terminate();
    }, stopTimeoutMs);
    await ended;
    clearTimeout(deadline);
  }

  function endCounting(): Promise<void> {
    ending ??= endThread();
    return ending;
  }

  return {
    name: `log ${wal.id}`,
    endCounting,
    append: createAppender(wal, metrics),
    /** Does not wait for the thread: what is acknowledged until then is counted when it is there. */
    start: begin,
    async stop() {
      await endCounting();
      await wal.close();
    },
  };
}

// Brings the batches of a spool into their store, oldest first: tries for ever while the store is away, puts aside what it refuses.
import { createBreaker } from '#ops/lanes/breaker.ts';
import { type Clock, systemClock } from '#ops/runtime/clock.ts';
import { messageOf } from '#ops/runtime/errors.ts';
import type { Logger } from '#ops/runtime/log.ts';
import { type StoredBatch, UnreadableBatch } from './batch-file.ts';
import type { Spool } from './spool.ts';

export type BatchStore = {
  /** The rows are in the store when it resolves. The same batch may come again: its token tells. */
  insert(batch: StoredBatch, signal: AbortSignal): Promise<void>;
  /** Whether it would take another batch of this kind now. Then what was wrong with the first one is its own. */
  takesMore(batch: StoredBatch, signal: AbortSignal): Promise<boolean>;
  /** The error says that the store has no time or room at present, whatever it is given. */
  isPassing(error: unknown): boolean;
  /** A metric label. */
  label(error: unknown): string;
};

export type DrainOptions = {
  spool: Spool;
  store: BatchStore;
  log: Logger;
  /** Rows that have arrived. */
  onInserted(batch: StoredBatch): void;
  onFailure(label: string): void;
  /** The batch is in `rejected/`. */
  onRefused(batch: StoredBatch, error: unknown): void;
  clock?: Clock;
};

export type Drain = {
  start(): void;
  stop(): Promise<void>;
  /** The batch may go: whoever gave its rows knows that they are kept. */
  offer(batch: StoredBatch): void;
  /** Why the store does not take rows at present; null while it does. */
  trouble(): string | null;
};

const attemptsBeforeAside = 3;
/** A pause shorter than this is nothing to tell. */
const tellAfterMs = 5000;

export function createDrain(options: DrainOptions): Drain {
  const { spool, store, log, clock = systemClock } = options;
  const breaker = createBreaker();
  const ending = new AbortController();
  const offered: StoredBatch[] = [];
  let attempts = 0;
  let failing: { readonly sinceMs: number; readonly told: boolean; readonly reason: string } | undefined;
  let running: Promise<void> | undefined;
  let idle = false;
  let interrupt = () => {};

  async function step(batch: StoredBatch): Promise<void> {
    try {
      await store.insert(batch, ending.signal);
    } catch (error) {
      if (ending.signal.aborted) return;
      options.onFailure(store.label(error));
      if (await isItsOwnFault(batch, error)) return aside(batch, error);
      throw error;
    }
    await spool.remove(batch);
    finished();
    options.onInserted(batch);
    recovered();
  }

  async function isItsOwnFault(batch: StoredBatch, error: unknown): Promise<boolean> {
    if (error instanceof UnreadableBatch) return true;
    if (store.isPassing(error)) return false;
    attempts++;
    return attempts >= attemptsBeforeAside && (await store.takesMore(batch, ending.signal));
  }

  async function aside(batch: StoredBatch, error: unknown): Promise<void> {
    await spool.reject(batch);
    finished();
    options.onRefused(batch, error);
  }

  function finished(): void {
    offered.shift();
    attempts = 0;
  }

  function failed(error: unknown): number {
    const { sinceMs, told } = failing ?? { sinceMs: clock.monotonicMs(), told: false };
    const tell = !told && clock.monotonicMs() - sinceMs >= tellAfterMs;
    failing = { sinceMs, told: told || tell, reason: messageOf(error) };
    if (tell) log.warn({ reason: failing.reason }, 'the store of history is away: rows wait on disk');
    return breaker.failed();
  }

  function recovered(): void {
    breaker.succeeded();
    if (failing?.told) log.info('the store of history takes rows again');
    failing = undefined;
  }

  async function loop(): Promise<void> {
    while (!ending.signal.aborted) {
      const [batch] = offered;
      if (!batch) await rest();
      else
        try {
          await step(batch);
        } catch (error) {
          await rest(failed(error));
        }
    }
  }

  /** For so long, or without a time until something is offered. */
  function rest(ms?: number): Promise<void> {
    if (ending.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
      idle = ms === undefined;
      interrupt = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  return {
    start() {
      running ??= loop();
    },
    async stop() {
      ending.abort();
      interrupt();
      await running;
    },
    offer(batch) {
      offered.push(batch);
      if (idle) interrupt();
    },
    trouble: () => failing?.reason ?? null,
  };
}

// Keeps one server or process running: restarts it with growing pauses and says why it ended.
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '#ops/runtime/errors.ts';

export type Supervised = {
  name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Resolves with the reason when it ends, asked or not. */
  ended(): Promise<string>;
  /** Signals it to end without waiting: for an operator who will not wait. */
  abandon(): void;
};

export type SuperviseOptions = {
  say(line: string): void;
  firstPauseMs?: number;
  longestPauseMs?: number;
  /** After a life this long the pauses start small again. */
  settledMs?: number;
};

export type Supervisor = { name: string; start(): Promise<void>; stop(): Promise<void>; abandon(): void };

/** `start` throws when the first start fails; later failures are retried for ever. */
export function supervise(supervised: Supervised, options: SuperviseOptions): Supervisor {
  const { say, firstPauseMs = 100, longestPauseMs = 30_000, settledMs = 60_000 } = options;
  const stopping = new AbortController();
  let starting: Promise<void> = Promise.resolve();
  let watching: Promise<void> = Promise.resolve();

  async function watch(): Promise<void> {
    let pauseMs = firstPauseMs;
    let startedAt = performance.now();
    let reason = await supervised.ended();
    while (!stopping.signal.aborted) {
      if (performance.now() - startedAt >= settledMs) pauseMs = firstPauseMs;
      say(`${supervised.name} ended unexpectedly: ${reason}; starting it again in ${pauseMs / 1000} s`);
      try {
        await delay(pauseMs, undefined, { signal: stopping.signal });
      } catch {
        return; // Stopping: nothing is to be started any more.
      }
      pauseMs = Math.min(longestPauseMs, pauseMs * 2);
      startedAt = performance.now();
      try {
        await supervised.start();
        if (stopping.signal.aborted) return;
        say(`${supervised.name} runs again`);
        reason = await supervised.ended();
      } catch (error) {
        reason = messageOf(error);
      }
    }
  }

  return {
    name: supervised.name,
    async start() {
      starting = supervised.start();
      await starting;
      watching = watch();
    },
    async stop() {
      stopping.abort();
      await supervised.stop();
      await Promise.allSettled([starting, watching]);
      // What a start that was under way has started meanwhile.
      await supervised.stop();
    },
    abandon() {
      stopping.abort();
      supervised.abandon();
    },
  };
}

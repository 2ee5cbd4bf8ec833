// The ledger as a worker sees it: connects in the background, so that logins and the log never wait for Redis.
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '#ops/runtime/errors.ts';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import { connectRedis, type RedisClient } from '#ops/stores/redis.ts';
import { createLedger, type Ledger } from '#policy/ledger/ledger.ts';
import type { LedgerCalls } from '../accounting/applier.ts';

export type LedgerConnection = Part & {
  /** Rejects while there is no connection. */
  readonly calls: LedgerCalls;
};

export type LedgerConnectionOptions = { readonly url: string; readonly name: string; readonly log: Logger };

const retryMs = 1000;

export function createLedgerConnection({ url, name, log }: LedgerConnectionOptions): LedgerConnection {
  const stopping = new AbortController();
  let client: RedisClient | undefined;
  let ledger: Ledger | undefined;
  let connecting: Promise<void> | undefined;
  let lastProblem = '';

  /** The same problem once, until another one or success. */
  function report(problem: string): void {
    if (problem !== lastProblem) log.warn({ problem }, 'the ledger is not reachable');
    lastProblem = problem;
  }

  async function connect(): Promise<void> {
    const { signal } = stopping;
    while (!ledger) {
      try {
        client ??= await connectRedis({ url, name, signal, onProblem: report });
        const loaded = createLedger(client, { onProblem: (error) => report(messageOf(error)) });
        await loaded.load();
        lastProblem = '';
        ledger = loaded;
      } catch (error) {
        if (signal.aborted) return;
        report(messageOf(error));
        await delay(retryMs, undefined, { signal, ref: false }).catch(() => undefined);
      }
    }
  }

  function connected(): Ledger {
    if (!ledger) throw new Error('no connection to the ledger yet');
    return ledger;
  }

  return {
    name: 'ledger connection',
    calls: {
      apply: async (call) => connected().apply(call),
      lanePositions: async (walId) => connected().lanePositions(walId),
      lookupSession: async (nasInstance, sessionId) => connected().lookupSession(nasInstance, sessionId),
    },
    async start() {
      connecting ??= connect();
    },
    async stop() {
      stopping.abort();
      await connecting;
      client?.disconnect();
    },
  };
}

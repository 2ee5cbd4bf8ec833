// The ledger as a worker sees it: calls fail until Redis has answered once, so that logins and the log never wait for it.
import type { Logger } from '#ops/runtime/log.ts';
import type { RedisLink } from '#ops/stores/redis-link.ts';
import { createLedger, type Ledger } from '#policy/ledger/ledger.ts';
import type { LedgerCalls } from '../accounting/apply.ts';

export function ledgerOver(redis: RedisLink, log: Logger): LedgerCalls {
  let ledger: Ledger | undefined;
  redis.onConnected((client) => {
    const onProblem = (error: unknown) => log.warn({ err: error }, 'the ledger reports a problem');
    const made = createLedger(client, { onProblem });
    // A failed load is tried again by the first call that misses the functions.
    made.load().catch(onProblem);
    ledger = made;
  });

  function connected(): Ledger {
    if (!ledger) throw new Error('no connection to the ledger yet');
    return ledger;
  }

  return {
    apply: async (call) => connected().apply(call),
    lanePositions: async (walId) => connected().lanePositions(walId),
    lookupSession: async (nasInstance, sessionId) => connected().lookupSession(nasInstance, sessionId),
  };
}

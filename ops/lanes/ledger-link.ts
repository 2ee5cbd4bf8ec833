// The ledger as a thread reaches it: asking for it fails until Redis has answered once, so that nothing waits for it.
import type { Logger } from '#ops/runtime/log.ts';
import { createLedger, type Ledger } from '#policy/ledger/ledger.ts';
import type { RedisLink } from '../stores/redis-link.ts';

/** @returns the ledger, or throws while there is no connection yet. */
export function linkLedger(redis: Pick<RedisLink, 'onConnected'>, log: Logger): () => Ledger {
  let ledger: Ledger | undefined;
  redis.onConnected((client) => {
    const onProblem = (error: unknown) => log.warn({ err: error }, 'the ledger reports a problem');
    const made = createLedger(client, { onProblem });
    // A failed load is tried again by the first call that misses the functions.
    made.load().catch(onProblem);
    ledger = made;
  });
  return () => {
    if (!ledger) throw new Error('no connection to the ledger yet');
    return ledger;
  };
}

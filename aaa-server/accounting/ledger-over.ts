// The ledger as the thread that counts sees it: calls fail until Redis has answered once, so that the start never waits for it.
import { linkLedger } from '#ops/lanes/ledger-link.ts';
import type { Logger } from '#ops/runtime/log.ts';
import type { RedisLink } from '#ops/stores/redis-link.ts';
import type { LedgerCalls } from './apply.ts';

export function ledgerOver(redis: RedisLink, log: Logger): LedgerCalls {
  const connected = linkLedger(redis, log);
  return {
    apply: async (call) => connected().apply(call),
    lanePositions: async (walId) => connected().lanePositions(walId),
    lookupSession: async (nasInstance, sessionId) => connected().lookupSession(nasInstance, sessionId),
  };
}

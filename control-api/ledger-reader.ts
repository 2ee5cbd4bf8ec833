// What the API needs of the ledger in Redis: usage, sessions and the brake. policy/ledger gives it; tests may give it in memory.

import type { RedisClient } from '#ops/stores/redis.ts';
import { type Brake, type BrakeAnswer, cancelBrake, confirmBrake, listBrakes } from '#policy/ledger/brake.ts';
import type { LiveSession, Usage, UsageWindows } from '#policy/ledger/types.ts';

export type LedgerReader = {
  usage(tenantId: number, subscriptionId: number, windows: UsageWindows): Promise<Usage>;
  sessionsOf(tenantId: number, subscriptionId: number): Promise<readonly LiveSession[]>;
  listSessions(
    tenantId: number,
    options: { cursor: string | undefined; limit: number; search: string | undefined },
  ): Promise<{ sessions: readonly LiveSession[]; nextCursor: string | null }>;
};

export type BrakeDesk = {
  list(tenantId: number): Promise<readonly Brake[]>;
  confirm(tenantId: number, id: number, count: number): Promise<BrakeAnswer>;
  cancel(tenantId: number, id: number): Promise<BrakeAnswer>;
};

/** `client` throws while there is no connection. */
export function createBrakeDesk(client: () => RedisClient): BrakeDesk {
  return {
    list: (tenantId) => listBrakes(client(), tenantId),
    confirm: (tenantId, id, count) => confirmBrake(client(), tenantId, id, count),
    cancel: (tenantId, id) => cancelBrake(client(), tenantId, id),
  };
}

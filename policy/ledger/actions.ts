// The last enforcement actions of a tenant: what access servers were told, and what they answered. For people to look at, not for decisions.
import type { Cluster, Redis } from 'ioredis';
import { keys } from './keys.ts';

export const actionResults = ['ack', 'nak', 'timeout', 'unsent'] as const;

export type EnforcementAction = {
  /** Wall clock of the answer, UTC ms. */
  readonly atMs: number;
  readonly tenantId: number;
  readonly subscriptionId: number;
  readonly nasId: number;
  readonly userName: string;
  readonly sessionId: string;
  readonly by: 'coa' | 'disconnect';
  /** What the session was told to become: text of policy/access/outcome.ts. */
  readonly outcome: string;
  readonly result: (typeof actionResults)[number];
  /** Error-Cause of RFC 5176 of a NAK, as decimal digits, or ''. */
  readonly errorCause: string;
  /** From the packet that crossed a threshold to the answer, ms; null when no crossing caused it. */
  readonly lagMs: number | null;
};

/** So many are kept of a tenant, the newest. */
const kept = 1000;

export async function noteAction(redis: Redis | Cluster, action: EnforcementAction): Promise<void> {
  const { tenantId, ...said } = action;
  await redis.xadd(keys.actions(tenantId), 'MAXLEN', '~', kept, '*', 'action', JSON.stringify(said));
}

/** Newest first. */
export async function listActions(
  redis: Redis | Cluster,
  tenantId: number,
  limit: number,
): Promise<EnforcementAction[]> {
  const entries = await redis.xrevrange(keys.actions(tenantId), '+', '-', 'COUNT', limit);
  return entries.map(([, fields]) => ({
    ...(JSON.parse(fields[1] ?? '{}') as Omit<EnforcementAction, 'tenantId'>),
    tenantId,
  }));
}

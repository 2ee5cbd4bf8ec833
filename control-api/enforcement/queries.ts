// Reads how far enforcement has come with the sessions of a subscription.
import { inArray } from 'drizzle-orm';
import type { Static } from 'typebox';
import type { EnforcementAction } from '#policy/ledger/actions.ts';
import type { Brake } from '#policy/ledger/brake.ts';
import type { TenantScope } from '../database/connect.ts';
import { read } from '../database/read.ts';
import type { Deps } from '../deps.ts';
import { nas } from '../nas/schema.ts';
import { fromLedger } from '../plugins/ledger-failure.ts';
import { type SubscriptionPath, subscriptionOf } from '../subscriptions/queries.ts';
import { presentTenant } from '../tenants/queries.ts';
import type { enforcementModes } from '../tenants/schema.ts';
import type { ActionReply, BrakeReply, EnforcementReply } from './contract.ts';

type Mode = (typeof enforcementModes)[number];

export async function enforcementOf(
  { db, ledger }: Pick<Deps, 'db' | 'ledger'>,
  scope: TenantScope,
  path: SubscriptionPath,
): Promise<Static<typeof EnforcementReply>> {
  const { id } = await read(db, scope, (conn) => subscriptionOf(conn, path));
  const sessions = await fromLedger(() => ledger.sessionsOf(scope.tenantId, id));
  const modes = await read(db, scope, async (conn) => {
    const { enforcementMode } = await presentTenant(conn);
    const ids = [...new Set(sessions.map((session) => session.nasId))];
    const rows = ids.length === 0 ? [] : await conn.select({ mode: nas.mode }).from(nas).where(inArray(nas.id, ids));
    return [enforcementMode, ...rows.map(({ mode }) => mode)];
  });
  return {
    mode: mildest(modes),
    sessions: sessions.map(({ sessionId, lastEventAtMs, enforcement }) => ({
      session_id: sessionId,
      desired: enforcement.desired,
      sent: enforcement.sent,
      acked: enforcement.acked,
      error_cause: enforcement.errorCause === '' ? null : enforcement.errorCause,
      updated_at: new Date(enforcement.updatedAtMs || lastEventAtMs).toISOString(),
    })),
  };
}

export function showAction(action: EnforcementAction): Static<typeof ActionReply> {
  return {
    at: new Date(action.atMs).toISOString(),
    subscription_id: action.subscriptionId,
    user_name: action.userName,
    nas_id: action.nasId,
    session_id: action.sessionId,
    by: action.by,
    outcome: action.outcome,
    result: action.result,
    error_cause: action.errorCause === '' ? null : action.errorCause,
    lag_ms: action.lagMs,
  };
}

export function showBrake(brake: Brake): Static<typeof BrakeReply> {
  const { id, state, since, pending, online, limit, reasons } = brake;
  return { id, state, since: since.toISOString(), count: pending, online, limit, reasons };
}

/** Tenant and NAS both have a mode; the one that does less wins. */
function mildest(modes: readonly Mode[]): Mode {
  return modes.includes('off') ? 'off' : modes.includes('observe') ? 'observe' : 'enforce';
}

// Drains: new logins are kept away from an access server, and its sessions are moved when their number was confirmed.
import { and, desc, eq, isNull, sql } from 'drizzle-orm';
import { brakeLimit } from '#policy/enforcement/brake-rule.ts';
import type { Conn, Tx } from '../database/connect.ts';
import { nasOf } from '../nas/queries.ts';
import { Problem } from '../problem.ts';
import { tenant } from '../tenants/schema.ts';
import type { DrainBody, DrainReply, MoveBody } from './contract.ts';
import { nasDrain, nasMove } from './schema.ts';

type Drain = typeof nasDrain.$inferSelect;
type Move = typeof nasMove.$inferSelect;
export type StoredDrain = { readonly drain: Drain; readonly move: Move | null };

/** What only Redis knows of a drain; null while it is away. */
export type DrainLive = { readonly openSessions: number; readonly told: number } | null;

export async function drainOf(conn: Pick<Conn, 'select'>, nasId: number): Promise<StoredDrain> {
  await nasOf(conn, nasId);
  const drain = await runningDrain(conn, nasId);
  if (!drain) throw new Problem('drain_unknown', `NAS ${nasId} is not drained`);
  const [move] = await conn
    .select()
    .from(nasMove)
    .where(eq(nasMove.drainId, drain.id))
    .orderBy(desc(nasMove.id))
    .limit(1);
  return { drain, move: move ?? null };
}

export async function startDrain(tx: Tx, nasId: number, body: DrainBody): Promise<StoredDrain> {
  await nasOf(tx, nasId);
  const [drain] = await tx
    .insert(nasDrain)
    .values({ tenantId: tx.scope.tenantId, nasId, ...(body ?? {}) })
    .returning();
  if (!drain) throw new Error('the drain was not inserted');
  tx.audit('nas', nasId, { drained: true, ...(body ?? {}) });
  return { drain, move: null };
}

/** New logins are let in again; what is being moved stays. */
export async function endDrain(tx: Tx, nasId: number): Promise<void> {
  const { drain } = await lockDrain(tx, nasId);
  await stopRunning(tx, drain.id);
  await tx.update(nasDrain).set({ endedAt: sql`now()` }).where(eq(nasDrain.id, drain.id));
  tx.audit('nas', nasId, { drained: false });
}

/** @param openSessions as they were counted right before. Far more than these is no number that anybody looked up. */
export async function startMove(tx: Tx, nasId: number, body: MoveBody, openSessions: number): Promise<StoredDrain> {
  const { drain } = await lockDrain(tx, nasId);
  const { mode } = await nasOf(tx, nasId);
  const [owner] = await tx
    .select({ mode: tenant.enforcementMode })
    .from(tenant)
    .where(eq(tenant.id, tx.scope.tenantId));
  if (mode !== 'enforce' || owner?.mode !== 'enforce')
    throw new Problem('move_not_enforced', `mode of the NAS: ${mode}, of the tenant: ${owner?.mode}`);
  const most = openSessions + brakeLimit(openSessions);
  if (openSessions === 0 || openSessions > body.count || body.count > most) {
    throw new Problem('move_count_changed', `${body.count} were confirmed, ${openSessions} are open: look again`);
  }
  const [move] = await tx
    .insert(nasMove)
    .values({ tenantId: tx.scope.tenantId, drainId: drain.id, most: body.count, perS: body.per_s })
    .returning();
  if (!move) throw new Error('the move was not inserted');
  tx.audit('nas', nasId, { move_id: move.id, open_sessions: openSessions, ...body });
  return { drain, move };
}

export async function stopMove(tx: Tx, nasId: number): Promise<StoredDrain> {
  const { drain } = await lockDrain(tx, nasId);
  const move = await stopRunning(tx, drain.id);
  if (!move) throw new Problem('move_unknown', `no sessions of NAS ${nasId} are being moved`);
  tx.audit('nas', nasId, { move_id: move.id, stopped: true });
  return { drain, move };
}

/** Of each access server the drain that runs, and whether sessions are being moved. */
export async function runningDrains(
  conn: Pick<Conn, 'select'>,
  nasIds: readonly number[],
): Promise<Map<number, { drain: Drain; moving: boolean }>> {
  if (nasIds.length === 0) return new Map();
  const rows = await conn
    .select({ drain: nasDrain, moveId: nasMove.id })
    .from(nasDrain)
    .leftJoin(nasMove, and(eq(nasMove.drainId, nasDrain.id), isNull(nasMove.stoppedAt)))
    .where(and(sql`${nasDrain.nasId} = ANY (${sql.param([...nasIds])}::bigint[])`, isNull(nasDrain.endedAt)));
  return new Map(rows.map(({ drain, moveId }) => [drain.nasId, { drain, moving: moveId !== null }]));
}

export function showDrain({ drain, move }: StoredDrain, live: DrainLive): DrainReply {
  return {
    answer: drain.answer,
    note: drain.note,
    started_at: drain.startedAt.toISOString(),
    open_sessions: live?.openSessions ?? null,
    move: move && {
      count: move.most,
      per_s: move.perS,
      started_at: move.startedAt.toISOString(),
      stopped_at: move.stoppedAt?.toISOString() ?? null,
      told: live?.told ?? null,
    },
  };
}

async function lockDrain(tx: Tx, nasId: number): Promise<StoredDrain> {
  await tx
    .select({ id: nasDrain.id })
    .from(nasDrain)
    .where(and(eq(nasDrain.nasId, nasId), isNull(nasDrain.endedAt)))
    .for('update');
  return drainOf(tx, nasId);
}

async function runningDrain(conn: Pick<Conn, 'select'>, nasId: number): Promise<Drain | undefined> {
  const [drain] = await conn
    .select()
    .from(nasDrain)
    .where(and(eq(nasDrain.nasId, nasId), isNull(nasDrain.endedAt)));
  return drain;
}

async function stopRunning(tx: Tx, drainId: number): Promise<Move | undefined> {
  const [stopped] = await tx
    .update(nasMove)
    .set({ stoppedAt: sql`now()` })
    .where(and(eq(nasMove.drainId, drainId), isNull(nasMove.stoppedAt)))
    .returning();
  return stopped;
}

// Windows of maintenance: planned, listed, ended early. The edge acts on them by its own clock.
import { and, desc, eq, gt, lt, sql } from 'drizzle-orm';
import { joinedMs, longestMaintenanceMs, shortestPauseMs } from '#policy/nas/maintenance.ts';
import type { Conn, Tx } from '../database/connect.ts';
import { instantOf } from '../fields.ts';
import { lockNas } from '../nas/commands.ts';
import { nasOf } from '../nas/queries.ts';
import { invalid, Problem } from '../problem.ts';
import type { MaintenanceBody, MaintenanceReply } from './contract.ts';
import { nasMaintenance } from './schema.ts';

type Row = typeof nasMaintenance.$inferSelect;

const mostListed = 200;
/** Clocks of operators differ a little from ours. */
const lateMs = 60_000;
const farthestMs = 366 * 24 * 3600_000;

export async function listMaintenance(conn: Conn, nasId: number, nowMs: number): Promise<MaintenanceReply[]> {
  await nasOf(conn, nasId);
  const rows = await conn
    .select()
    .from(nasMaintenance)
    .where(eq(nasMaintenance.nasId, nasId))
    .orderBy(desc(nasMaintenance.startsAt))
    .limit(mostListed);
  return rows.map((row) => showMaintenance(row, nowMs));
}

export async function planMaintenance(
  tx: Tx,
  nasId: number,
  { from, until, note }: MaintenanceBody,
  nowMs: number,
): Promise<MaintenanceReply> {
  // Locked: two windows planned at once would not see each other.
  await lockNas(tx, nasId);
  const startsAt = from === undefined ? new Date(nowMs) : instantOf(from, '/from');
  const endsAt = instantOf(until, '/until');
  if (startsAt.getTime() < nowMs - lateMs) throw invalid('/from', 'has passed');
  if (startsAt.getTime() > nowMs + farthestMs) throw invalid('/from', 'is more than a year ahead');
  if (endsAt <= startsAt || endsAt.getTime() <= nowMs) throw invalid('/until', 'must come after from, and after now');
  if (endsAt.getTime() - startsAt.getTime() > longestMaintenanceMs)
    throw invalid('/until', 'is more than 24 hours after from');
  await requireJoinedShort(tx, nasId, startsAt, endsAt);
  const [made] = await tx
    .insert(nasMaintenance)
    .values({ tenantId: tx.scope.tenantId, nasId, startsAt, endsAt, ...(note === undefined ? {} : { note }) })
    .returning();
  if (!made) throw new Error('the window was not inserted');
  tx.audit('nas', nasId, { maintenance_id: made.id, from: startsAt.toISOString(), until: endsAt.toISOString(), note });
  return showMaintenance(made, nowMs);
}

/** Windows that follow each other closely would leave the access server alone for as long as anybody likes. */
async function requireJoinedShort(tx: Tx, nasId: number, startsAt: Date, endsAt: Date): Promise<void> {
  const around = longestMaintenanceMs + shortestPauseMs;
  const rows = await tx
    .select({ startsAt: nasMaintenance.startsAt, endsAt: nasMaintenance.endsAt })
    .from(nasMaintenance)
    .where(
      and(
        eq(nasMaintenance.nasId, nasId),
        gt(nasMaintenance.endsAt, new Date(startsAt.getTime() - around)),
        lt(nasMaintenance.startsAt, new Date(endsAt.getTime() + around)),
      ),
    );
  const windows = rows.map((row) => ({ fromMs: row.startsAt.getTime(), untilMs: row.endsAt.getTime() }));
  const lastsMs = joinedMs(windows, { fromMs: startsAt.getTime(), untilMs: endsAt.getTime() });
  if (lastsMs > longestMaintenanceMs)
    throw new Problem('maintenance_too_long', `with the windows next to it: ${Math.round(lastsMs / 60_000)} minutes`);
}

/** What has not begun is taken back, what runs ends now. */
export async function endMaintenance(tx: Tx, nasId: number, id: number, nowMs: number): Promise<void> {
  const which = and(
    eq(nasMaintenance.nasId, nasId),
    eq(nasMaintenance.id, id),
    gt(nasMaintenance.endsAt, new Date(nowMs)),
  );
  const [found] = await tx.select().from(nasMaintenance).where(which).for('update');
  if (!found) throw new Problem('maintenance_unknown', `NAS ${nasId} has no window ${id} that runs or is to come`);
  if (found.startsAt.getTime() >= nowMs) await tx.delete(nasMaintenance).where(eq(nasMaintenance.id, id));
  else {
    await tx
      .update(nasMaintenance)
      .set({ endsAt: new Date(nowMs) })
      .where(eq(nasMaintenance.id, id));
  }
  tx.audit('nas', nasId, { maintenance_id: id, ended: true });
}

/** Of each access server the window that runs or comes next. */
export async function nextMaintenance(
  conn: Pick<Conn, 'selectDistinctOn'>,
  nasIds: readonly number[],
  nowMs: number,
): Promise<Map<number, MaintenanceReply>> {
  if (nasIds.length === 0) return new Map();
  const rows = await conn
    .selectDistinctOn([nasMaintenance.nasId])
    .from(nasMaintenance)
    .where(
      and(
        sql`${nasMaintenance.nasId} = ANY (${sql.param([...nasIds])}::bigint[])`,
        gt(nasMaintenance.endsAt, new Date(nowMs)),
      ),
    )
    .orderBy(nasMaintenance.nasId, nasMaintenance.startsAt);
  return new Map(rows.map((row) => [row.nasId, showMaintenance(row, nowMs)]));
}

function showMaintenance({ id, startsAt, endsAt, note }: Row, nowMs: number): MaintenanceReply {
  const state = nowMs < startsAt.getTime() ? 'planned' : nowMs < endsAt.getTime() ? 'running' : 'over';
  return { id, from: startsAt.toISOString(), until: endsAt.toISOString(), note, state };
}

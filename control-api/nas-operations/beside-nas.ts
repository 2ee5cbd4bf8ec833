// Maintenance and drain beside an access server, in answers to GET.
import type { Conn } from '../database/connect.ts';
import type { NasReply } from '../nas/contract.ts';
import type { NasOperations } from './contract.ts';
import { runningDrains } from './drain.ts';
import { nextMaintenance } from './maintenance.ts';

export async function withOperations(
  conn: Conn,
  replies: readonly NasReply[],
  nowMs: number,
): Promise<(NasReply & { operations: NasOperations })[]> {
  const ids = replies.map(({ id }) => id);
  const windows = await nextMaintenance(conn, ids, nowMs);
  const drains = await runningDrains(conn, ids);
  return replies.map((reply) => {
    const found = drains.get(reply.id);
    const drain = found && {
      answer: found.drain.answer,
      note: found.drain.note,
      started_at: found.drain.startedAt.toISOString(),
      moving: found.moving,
    };
    return { ...reply, operations: { maintenance: windows.get(reply.id) ?? null, drain: drain ?? null } };
  });
}

// What windows of maintenance mean for the sessions of a subscription: until when they are left alone, and what is due when that is over.
import type { NasRecord } from '#aaa-server/subscribers/records.ts';
import type { LiveSession } from '#policy/ledger/types.ts';
import { endedLately, maintenanceUntil } from '#policy/nas/maintenance.ts';

type Placed = { readonly session: Pick<LiveSession, 'startedAtMs'>; readonly nas: NasRecord | undefined };

/** The first instant at which one of the access servers may be told something again; null: none is left alone. */
export function leftAloneUntil(sessions: readonly Placed[], nowMs: number): number | null {
  const ends = sessions.flatMap(({ nas }) => maintenanceUntil(nas?.maintenance, nowMs) ?? []);
  return ends.length === 0 ? null : Math.min(...ends);
}

/** For so long after a window the openings within it are looked at: the first evaluation comes at its end. */
const lateMs = 3600_000;

/** A session opened while an access server of the subscription was left alone: what its opening would have ended is still there. */
export function openedInMaintenance(sessions: readonly Placed[], nowMs: number): boolean {
  return sessions.some(({ nas }) =>
    endedLately(nas?.maintenance, nowMs, lateMs).some(({ fromMs, untilMs }) =>
      sessions.some(({ session: { startedAtMs } }) => fromMs <= startedAtMs && startedAtMs < untilMs),
    ),
  );
}

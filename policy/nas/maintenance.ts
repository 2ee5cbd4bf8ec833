// Windows of maintenance of an access server: within one nothing is sent to it, and its silence is no alarm.

/** Half open: from `fromMs` on, before `untilMs`. UTC ms. */
export type MaintenanceWindow = { readonly fromMs: number; readonly untilMs: number };

/** What was planned longer is a decommissioning. */
export const longestMaintenanceMs = 24 * 3600_000;

/** In a shorter pause hardly anything is caught up: windows so close are one where their length counts. */
export const shortestPauseMs = 3600_000;

/** From the beginning of the first to the end of the last of those windows that are one with `added`. */
export function joinedMs(windows: readonly MaintenanceWindow[], added: MaintenanceWindow): number {
  let { fromMs, untilMs } = added;
  for (;;) {
    const near = windows.find(
      (one) =>
        one.fromMs < untilMs + shortestPauseMs &&
        one.untilMs > fromMs - shortestPauseMs &&
        (one.fromMs < fromMs || one.untilMs > untilMs),
    );
    if (!near) return untilMs - fromMs;
    fromMs = Math.min(fromMs, near.fromMs);
    untilMs = Math.max(untilMs, near.untilMs);
  }
}

/** Until when the access server is left alone; undefined when it is not. Windows that touch are one. */
export function maintenanceUntil(windows: readonly MaintenanceWindow[] | undefined, nowMs: number): number | undefined {
  let untilMs: number | undefined;
  for (;;) {
    const atMs: number = untilMs ?? nowMs;
    const window = windows?.find(({ fromMs, untilMs: endMs }) => fromMs <= atMs && atMs < endMs);
    if (!window) return untilMs;
    untilMs = window.untilMs;
  }
}

/** Those that have ended no longer ago than `withinMs`. */
export function endedLately(
  windows: readonly MaintenanceWindow[] | undefined,
  nowMs: number,
  withinMs: number,
): readonly MaintenanceWindow[] {
  return windows?.filter(({ untilMs }) => untilMs <= nowMs && nowMs - untilMs < withinMs) ?? [];
}

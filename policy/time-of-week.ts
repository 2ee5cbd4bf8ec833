// When a rule that holds only at certain times of the week is active, by the wall clock of its zone, and when that changes.
import type { TimeOfWeek } from './fup/rules.ts';
import { localTime, minuteMs } from './zone.ts';

const dayMinutes = 24 * 60;
const hourMs = 60 * minuteMs;

/** A span that passes midnight belongs to the weekday on which it begins. */
export function isTimeOfWeek(span: TimeOfWeek, atMs: number, zone: string): boolean {
  const { weekday, minute } = localTime(atMs, zone);
  return isInside(span, weekday, minute);
}

/**
 * The next instant after `atMs` at which {@link isTimeOfWeek} changes; null when it never does. Where the clock is moved
 * into or out of the span, that moment is the edge.
 */
export function nextTimeOfWeekEdge(span: TimeOfWeek, atMs: number, zone: string): number | null {
  let fromMs = Math.floor(atMs / minuteMs) * minuteMs;
  const active = isTimeOfWeek(span, fromMs, zone);
  // The wall clock runs evenly except where its offset changes: go from change to change until the edge comes first.
  for (const lastMs = fromMs + 15 * dayMinutes * minuteMs; fromMs < lastMs; ) {
    const { weekday, minute, offsetMs } = localTime(fromMs, zone);
    const ahead = minutesToEdge(span, weekday, minute);
    if (ahead === null) return null;
    const edgeMs = fromMs + ahead * minuteMs;
    const movedMs = firstMove(fromMs, edgeMs, offsetMs, zone);
    if (movedMs === null) return edgeMs;
    if (isTimeOfWeek(span, movedMs, zone) !== active) return movedMs;
    fromMs = movedMs;
  }
  return null;
}

function isInside({ weekdays, fromMinute, toMinute }: TimeOfWeek, weekday: number, minute: number): boolean {
  if (fromMinute < toMinute) return weekdays.includes(weekday) && fromMinute <= minute && minute < toMinute;
  if (minute >= fromMinute) return weekdays.includes(weekday);
  return minute < toMinute && weekdays.includes(weekday === 1 ? 7 : weekday - 1);
}

/** Minutes on an evenly running clock until the answer changes; null when no day of a week brings a change. */
function minutesToEdge(span: TimeOfWeek, weekday: number, minute: number): number | null {
  const active = isInside(span, weekday, minute);
  const edges = [0, span.fromMinute, span.toMinute].sort((a, b) => a - b);
  for (let day = 0; day <= 7; day++) {
    for (const edge of edges) {
      const ahead = day * dayMinutes + edge - minute;
      const turned = isInside(span, ((weekday - 1 + day) % 7) + 1, edge) !== active;
      if (ahead > 0 && edge < dayMinutes && turned) return ahead;
    }
  }
  return null;
}

/** The first minute in (from, to] at which the zone's offset is no longer `offsetMs`; null when it stays. */
function firstMove(fromMs: number, toMs: number, offsetMs: number, zone: string): number | null {
  const moved = (atMs: number) => localTime(atMs, zone).offsetMs !== offsetMs;
  // In steps of a day: two moves that undo each other within one day do not happen.
  for (let before = fromMs; before < toMs; before += 24 * hourMs) {
    let reached = Math.min(before + 24 * hourMs, toMs);
    if (!moved(reached)) continue;
    let still = before;
    while (reached - still > minuteMs) {
      const middle = still + Math.floor((reached - still) / 2 / minuteMs) * minuteMs;
      if (moved(middle)) reached = middle;
      else still = middle;
    }
    return reached;
  }
  return null;
}

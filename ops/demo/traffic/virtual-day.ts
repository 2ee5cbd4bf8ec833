// The day of the simulated subscribers: it passes faster than ours, starts in the evening, and has its busy hour at nine.

const dayMinutes = 24 * 60;
const startMinute = 18 * 60;
const busyMinute = 21 * 60;
/** An evening fits into a run that ends. */
const eveningS = 4 * 3600;
const least = 60;
const most = 3600;

/** Seconds of the subscribers' day that pass in one of ours. A run of `durationS` sees four of their hours; null: until Ctrl-C. */
export function timeFactor(durationS: number | null): number {
  if (durationS === null) return least;
  return Math.min(most, Math.max(least, Math.round(eveningS / durationS)));
}

/** Minute of the subscribers' day, 0 ≤ m < 1440. */
export function virtualMinute(elapsedMs: number, factor: number): number {
  return (startMinute + (elapsedMs * factor) / 60_000) % dayMinutes;
}

/** How much of their busiest hour subscribers are up to: 1 at nine in the evening, 0.1 at nine in the morning. */
export function activity(minuteOfDay: number): number {
  return 0.55 + 0.45 * Math.cos((2 * Math.PI * (minuteOfDay - busyMinute)) / dayMinutes);
}

/** e.g. 18:05 */
export function clockText(minuteOfDay: number): string {
  const whole = Math.floor(minuteOfDay);
  return `${String(Math.floor(whole / 60)).padStart(2, '0')}:${String(whole % 60).padStart(2, '0')}`;
}

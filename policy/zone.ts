// The wall clock of an IANA time zone, read through Intl: every calendar rule stands on these few functions.

export const minuteMs = 60_000;
/** Every calendar edge lies on a quarter of an hour UTC: the grid on which the ledger splits usage. */
export const quarterMs = 15 * minuteMs;

/** A date of the Gregorian calendar; `month` 1…12. Day arithmetic may pass the ends of a month: day 0 is the last of the month before. */
export type LocalDate = { readonly year: number; readonly month: number; readonly day: number };

/** What a clock on the wall shows. `weekday` is ISO, 1 = Monday; `minute` counts from 00:00. */
export type LocalTime = LocalDate & { readonly weekday: number; readonly minute: number; readonly offsetMs: number };

const formatters = new Map<string, Intl.DateTimeFormat>();

export function isTimeZone(text: string): boolean {
  try {
    formatterOf(text);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** The wall clock of `zone` at an instant. Throws a RangeError for an unknown zone. */
export function localTime(atMs: number, zone: string): LocalTime {
  const [month = 0, day = 0, year = 0, hour = 0, minute = 0, second = 0] = formatterOf(zone)
    .format(atMs)
    .split(/\D+/)
    .map(Number);
  const wallMs = Date.UTC(year, month - 1, day, hour, minute, second);
  return {
    year,
    month,
    day,
    weekday: weekdayOf({ year, month, day }),
    minute: hour * 60 + minute,
    offsetMs: wallMs - Math.floor(atMs / 1000) * 1000,
  };
}

/**
 * The first quarter of an hour UTC at which the wall clock shows this date or a later one: local midnight, or the first
 * moment after it where midnight is skipped. A date the zone never had begins where the next one does.
 */
export function startOfDate(date: LocalDate, zone: string): number {
  const wanted = dayNumber(date);
  const around = wanted * 86_400_000;
  // No zone is further than 16 hours from UTC: the edge is in here.
  let before = (around - 16 * 3_600_000) / quarterMs;
  let reached = (around + 16 * 3_600_000) / quarterMs;
  while (reached - before > 1) {
    const middle = Math.floor((before + reached) / 2);
    if (dayNumber(localTime(middle * quarterMs, zone)) >= wanted) reached = middle;
    else before = middle;
  }
  return reached * quarterMs;
}

export function weekdayOf(date: LocalDate): number {
  // 1970-01-01 was a Thursday.
  return ((((dayNumber(date) + 3) % 7) + 7) % 7) + 1;
}

export function daysInMonth(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}

function dayNumber({ year, month, day }: LocalDate): number {
  return Date.UTC(year, month - 1, day) / 86_400_000;
}

function formatterOf(zone: string): Intl.DateTimeFormat {
  const known = formatters.get(zone);
  if (known) return known;
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  formatters.set(zone, made);
  return made;
}

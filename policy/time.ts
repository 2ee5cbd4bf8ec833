// Calendar windows in a tenant's zone: day, week and billing month as half-open intervals of instants.
import { type UsageWindow, usageWindows as windowKinds } from './fup/rules.ts';
import { createRecall } from './recall.ts';
import { daysInMonth, type LocalDate, type LocalTime, localTime, startOfDate } from './zone.ts';

/** A half-open interval of instants. */
export type Interval = { readonly fromMs: number; readonly toMs: number };

/** Windows of each kind, oldest first, without gaps. */
export type UsageWindows = Readonly<Record<UsageWindow, readonly Interval[]>>;

/** What decides where a subscription's windows lie: the tenant's zone and first weekday (ISO), the subscription's billing day (1…31). */
export type Calendar = { readonly timeZone: string; readonly weekStart: number; readonly anchorDay: number };

/** The date on which the window of a local time begins, or the one `ahead` windows later. */
type WindowStart = (local: LocalTime, ahead: number) => LocalDate;

const days = createRecall<Interval>();
const weeks = createRecall<Interval>();
const months = createRecall<Interval>();
const usages = createRecall<{ readonly day: Interval; readonly windows: UsageWindows }>();

export function calendarOf(
  tenant: { readonly timeZone: string; readonly weekStart: number },
  subscription: { readonly anchorDay: number },
): Calendar {
  return { timeZone: tenant.timeZone, weekStart: tenant.weekStart, anchorDay: subscription.anchorDay };
}

/** The calendar day that contains the instant. All windows are remembered: the same object comes back while the instant is inside. */
export function dayWindow(atMs: number, zone: string): Interval {
  return days(zone, 0, contains(atMs), () => find(atMs, zone, startOfDay));
}

/** The week that contains the instant; it begins on `weekStart` (ISO, 1 = Monday). */
export function weekWindow(atMs: number, zone: string, weekStart: number): Interval {
  return weeks(zone, weekStart, contains(atMs), () => find(atMs, zone, startOfWeek(weekStart)));
}

/** The billing month that contains the instant. An anchor day the month lacks is its last day; the next month has the real one again. */
export function monthWindow(atMs: number, zone: string, anchorDay: number): Interval {
  return months(zone, anchorDay, contains(atMs), () => find(atMs, zone, startOfMonth(anchorDay)));
}

/** The window of a kind that contains the instant. */
export function windowOf(kind: UsageWindow, atMs: number, calendar: Calendar): Interval {
  switch (kind) {
    case 'day':
      return dayWindow(atMs, calendar.timeZone);
    case 'week':
      return weekWindow(atMs, calendar.timeZone, calendar.weekStart);
    case 'month':
      return monthWindow(atMs, calendar.timeZone, calendar.anchorDay);
  }
  return kind satisfies never;
}

/**
 * For each kind the window that contains the instant and the one before it, as the ledger wants them with a record;
 * with `sinceMs` every window from the one that contains it (and at least those two).
 */
export function usageWindows(
  atMs: number,
  zone: string,
  weekStart: number,
  anchorDay: number,
  sinceMs?: number,
): UsageWindows {
  const calendar = { timeZone: zone, weekStart, anchorDay };
  if (sinceMs !== undefined) return windowsSince(sinceMs, atMs, calendar);
  // Weeks and months begin where a day begins: within one day nothing changes.
  const known = usages(
    zone,
    weekStart * 32 + anchorDay,
    ({ day }) => day.fromMs <= atMs && atMs < day.toMs,
    () => ({ day: dayWindow(atMs, zone), windows: windowsSince(atMs, atMs, calendar) }),
  );
  return known.windows;
}

function windowsSince(sinceMs: number, atMs: number, calendar: Calendar): UsageWindows {
  const [day, week, month] = windowKinds.map((kind) => {
    const found = [windowOf(kind, atMs, calendar)];
    for (let first = found[0]; first && (found.length < 2 || first.fromMs > sinceMs); first = found[0]) {
      found.unshift(windowOf(kind, first.fromMs - 1, calendar));
    }
    return found;
  });
  return { day: day ?? [], week: week ?? [], month: month ?? [] };
}

const startOfDay: WindowStart = ({ year, month, day }, ahead) => ({ year, month, day: day + ahead });

const startOfWeek =
  (weekStart: number): WindowStart =>
  ({ year, month, day, weekday }, ahead) => ({ year, month, day: day - ((weekday - weekStart + 7) % 7) + ahead * 7 });

const startOfMonth =
  (anchorDay: number): WindowStart =>
  ({ year, month, day }, ahead) => {
    const begun = day >= Math.min(anchorDay, daysInMonth(year, month));
    const counted = year * 12 + (month - 1) + ahead - (begun ? 0 : 1);
    const first = { year: Math.floor(counted / 12), month: (counted % 12) + 1 };
    return { ...first, day: Math.min(anchorDay, daysInMonth(first.year, first.month)) };
  };

/** A date a zone skipped gives an empty window, and where midnight comes twice a window begins at one of them: step until inside. */
function find(atMs: number, zone: string, start: WindowStart): Interval {
  const local = localTime(atMs, zone);
  for (let ahead = 0; ; ) {
    const fromMs = startOfDate(start(local, ahead), zone);
    const toMs = startOfDate(start(local, ahead + 1), zone);
    if (atMs < fromMs) ahead--;
    else if (atMs >= toMs) ahead++;
    else return { fromMs, toMs };
  }
}

const contains = (atMs: number) => (interval: Interval) => interval.fromMs <= atMs && atMs < interval.toMs;

// The steps of a usage series: calendar days, or hours as the wall clock shows them, in a tenant's zone.
import { dayWindow } from './time.ts';
import { localTime, minuteMs, quarterMs } from './zone.ts';

export const seriesSteps = ['hour', 'day'] as const;
export type SeriesStep = (typeof seriesSteps)[number];

const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** What one question may span, in milliseconds; a day has 25 hours at most. */
export const longestSeriesMs: Readonly<Record<SeriesStep, number>> = { hour: 92 * dayMs, day: 800 * dayMs };

/**
 * Where the steps begin that touch [fromMs, toMs), oldest first, and at last where the final one ends. All of them lie on quarters of an
 * hour UTC. An hour is from one full hour of the wall clock to the next: where the clock is put back by half an hour it lasts longer.
 */
export function seriesEdges(step: SeriesStep, fromMs: number, toMs: number, zone: string): number[] {
  const edges = [step === 'day' ? dayWindow(fromMs, zone).fromMs : hourBefore(fromMs, zone)];
  for (let last = edges[0] ?? 0; last < toMs; ) {
    last = step === 'day' ? dayWindow(last, zone).toMs : hourAfter(last, zone);
    edges.push(last);
  }
  return edges;
}

function hourBefore(atMs: number, zone: string): number {
  let edge = Math.floor(atMs / quarterMs) * quarterMs;
  while (!isHour(edge, zone)) edge -= quarterMs;
  return edge;
}

function hourAfter(edgeMs: number, zone: string): number {
  let next = edgeMs + quarterMs;
  // Mostly an hour later, with nothing in between.
  if (isHour(edgeMs + hourMs, zone) && offsetAt(edgeMs, zone) === offsetAt(edgeMs + hourMs, zone))
    return edgeMs + hourMs;
  while (!isHour(next, zone)) next += quarterMs;
  return next;
}

/** A day begins an hour too, where midnight itself is skipped. */
function isHour(atMs: number, zone: string): boolean {
  return localTime(atMs, zone).minute % 60 === 0 || dayWindow(atMs, zone).fromMs === atMs;
}

function offsetAt(atMs: number, zone: string): number {
  return localTime(atMs, zone).offsetMs;
}

// Usage counters of subscriptions, by the names they have in the ledger: `all`, `day:<start>`, `week:<start>`, `month:<start>`.
import { usageWindows as kinds, type UsageWindow } from '#policy/fup/rules.ts';
import type { ByteCount } from '#policy/fup/usage.ts';
import { type Calendar, windowOf } from '#policy/time.ts';

export type Counters = ReadonlyMap<string, ByteCount>;

export type Window = { readonly kind: UsageWindow; readonly startMs: number };

const day = 86_400_000;
/** How far before the newest window with bytes the ledger keeps others of its kind (policy/ledger/lua/usage.lua). */
export const keptMs: Readonly<Record<UsageWindow, number>> = { day: 9 * day, week: 16 * day, month: 63 * day };

export function counterName({ kind, startMs }: Window): string {
  return `${kind}:${startMs}`;
}

/** Undefined for `all`, and for what is no counter. */
export function windowOfName(name: string): Window | undefined {
  const [word, start = ''] = name.split(':');
  const kind = kinds.find((one) => one === word);
  return kind && /^\d+$/.test(start) ? { kind, startMs: Number(start) } : undefined;
}

/** Starts of the windows of a kind from the one that contains `sinceMs` to the one that contains `untilMs`, and the end of that one. */
export function edgesBetween(kind: UsageWindow, sinceMs: number, untilMs: number, calendar: Calendar): number[] {
  const edges = [windowOf(kind, sinceMs, calendar).fromMs];
  for (let last = edges[0] ?? 0; last <= untilMs; ) {
    last = windowOf(kind, last, calendar).toMs;
    edges.push(last);
  }
  return edges;
}

// What the demo measures of itself while it runs: rates over the last seconds, percentiles of the last durations, the last events.

export type RateMeter = {
  add(amount: number, nowMs: number): void;
  /** Over the last `windowS` seconds. */
  perSecond(nowMs: number): number;
};

export function createRateMeter(windowS = 5): RateMeter {
  const seconds = new Map<number, number>();
  let firstS = Number.POSITIVE_INFINITY;
  return {
    add(amount, nowMs) {
      const second = Math.floor(nowMs / 1000);
      firstS = Math.min(firstS, second);
      seconds.set(second, (seconds.get(second) ?? 0) + amount);
      if (seconds.size > 4 * windowS) for (const old of seconds.keys()) if (old < second - windowS) seconds.delete(old);
    },
    perSecond(nowMs) {
      const second = Math.floor(nowMs / 1000);
      let sum = 0;
      for (let past = second - windowS; past < second; past++) sum += seconds.get(past) ?? 0;
      return sum / Math.min(windowS, Math.max(1, second - firstS));
    },
  };
}

export type Durations = {
  add(ms: number): void;
  count(): number;
  /** Of the last 2000; null before the first. `share` 0.5 is the median. */
  percentile(share: number): number | null;
};

const kept = 2000;

export function createDurations(): Durations {
  const ring: number[] = [];
  let added = 0;
  return {
    add(ms) {
      ring[added++ % kept] = ms;
    },
    count: () => added,
    percentile(share) {
      const sorted = ring.toSorted((a, b) => a - b);
      return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? null;
    },
  };
}

export const eventKinds = ['crossing', 'change', 'outage', 'office', 'trouble'] as const;
export type DemoEvent = { readonly atMs: number; readonly kind: (typeof eventKinds)[number]; readonly text: string };

export type Diary = {
  note(kind: DemoEvent['kind'], text: string): void;
  /** Newest first. */
  last(count: number): DemoEvent[];
  /** Everything of the kind `trouble`, oldest first, each text once. */
  troubles(): string[];
};

const rememberedEvents = 200;
const rememberedTroubles = 100;

export function createDiary(nowMs: () => number, listen?: (event: DemoEvent) => void): Diary {
  const events: DemoEvent[] = [];
  const troubles = new Set<string>();
  return {
    note(kind, text) {
      // What goes on being wrong is said once.
      if (kind === 'trouble' && troubles.has(text)) return;
      const event = { atMs: nowMs(), kind, text };
      events.push(event);
      if (events.length > rememberedEvents) events.shift();
      if (kind === 'trouble' && troubles.size < rememberedTroubles) troubles.add(text);
      listen?.(event);
    },
    last: (count) => events.slice(-count).reverse(),
    troubles: () => [...troubles],
  };
}

export type Meters = ReturnType<typeof createMeters>;

export function createMeters(diary: Diary) {
  return {
    diary,
    logins: createRateMeter(),
    accepts: 0,
    rejects: 0,
    loginTimeouts: 0,
    accounting: createRateMeter(),
    responseMs: createDurations(),
    /** From the accounting packet that crossed a threshold to the change of speed, as the access server sees it. */
    lagMs: createDurations(),
    crossings: 0,
    reboots: 0,
    sessionsLost: 0,
    bytesUp: createRateMeter(2),
    bytesDown: createRateMeter(2),
  };
}

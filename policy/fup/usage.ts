// Counted usage of a subscription, and the usage that must be noticed when it is reached.
import type { UsageDirection, UsageWindow } from './rules.ts';

export type ByteCount = { readonly upBytes: number; readonly downBytes: number };

/** Counters of the current window of each kind at an instant; a window nothing was counted in is zero. */
export type Usage = Readonly<Record<UsageWindow | 'all', ByteCount>>;

/** Noticed when reached, e.g. total of the day ≥ 10 GB. */
export type Threshold = { readonly window: UsageWindow; readonly direction: UsageDirection; readonly bytes: number };

export const noBytes: ByteCount = { upBytes: 0, downBytes: 0 };
export const noUsage: Usage = { day: noBytes, week: noBytes, month: noBytes, all: noBytes };

export function bytesIn(direction: UsageDirection, count: ByteCount): number {
  switch (direction) {
    case 'up':
      return count.upBytes;
    case 'down':
      return count.downBytes;
    case 'total':
      return count.upBytes + count.downBytes;
  }
  return direction satisfies never;
}

// What a fair-use rule is: a threshold on the usage of a window and the effect beyond it.

export const usageWindows = ['day', 'week', 'month'] as const;
/** Calendar day, week (from the tenant's first weekday) or billing month (from the subscription's anchor day), in the tenant's zone. */
export type UsageWindow = (typeof usageWindows)[number];

export const usageDirections = ['total', 'up', 'down'] as const;
export type UsageDirection = (typeof usageDirections)[number];

export type FupEffect =
  | { readonly kind: 'speed'; readonly upBps: number; readonly downBps: number }
  /** Takes `percent` (1…99) off both directions of the tariff's speed. */
  | { readonly kind: 'reduce'; readonly percent: number }
  | { readonly kind: 'block' };

/** When a rule is in force, in the tenant's zone: ISO weekdays (1 = Monday) and minutes of the day [from, to); from > to passes midnight. */
export type TimeOfWeek = {
  readonly weekdays: readonly number[];
  readonly fromMinute: number;
  readonly toMinute: number;
};

export type FupRule = {
  readonly window: UsageWindow;
  readonly direction: UsageDirection;
  /** In force when usage ≥ this many bytes. */
  readonly thresholdBytes: number;
  readonly effect: FupEffect;
  /** Absent: always. */
  readonly active?: TimeOfWeek;
};

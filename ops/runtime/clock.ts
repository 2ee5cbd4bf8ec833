// The two clocks: wall time for what is stored and shown, monotonic time for intervals that must survive a clock jump.
export type Clock = {
  /** Wall clock, milliseconds since 1970 (UTC). May jump. */
  nowMs(): number;
  /** Milliseconds that only ever grow, from an arbitrary origin. */
  monotonicMs(): number;
};

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

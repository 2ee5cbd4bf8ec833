// A rate that a flood cannot exceed: tokens come back with time.

export type TokenBucket = {
  /** Whether there was a token left at `nowMs`; it is taken. */
  take(nowMs: number): boolean;
};

/** Starts full with `burst` tokens; `perSecond` come back. A clock that goes back gives none. */
export function createTokenBucket(perSecond: number, burst: number): TokenBucket {
  let tokens = burst;
  let lastMs = Number.NEGATIVE_INFINITY;
  return {
    take(nowMs) {
      if (nowMs > lastMs) {
        tokens = Math.min(burst, tokens + ((nowMs - lastMs) / 1000) * perSecond);
        lastMs = nowMs;
      }
      if (tokens < 1) return false;
      tokens--;
      return true;
    },
  };
}

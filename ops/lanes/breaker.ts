// Pauses applying while the ledger is away: longer with every failure, and short again only after several successes.

export type Breaker = {
  /** A failure: how long to wait before the next attempt. */
  failed(): number;
  succeeded(): void;
  /** How much may be sent at once: little after a failure, doubling with every success. */
  limit(most: number): number;
};

const shortestMs = 50;
const longestMs = 2000;
/** So many successes in a row make it forget. */
const calm = 8;
const firstLimit = 16;

/** `random` in [0, 1) spreads the attempts of several workers. */
export function createBreaker(random: () => number = Math.random): Breaker {
  let failures = 0;
  let successes = calm;
  return {
    failed() {
      failures = successes >= calm ? 1 : failures + 1;
      successes = 0;
      return Math.min(longestMs, shortestMs * 2 ** Math.min(failures - 1, 10)) * (0.75 + random() / 2);
    },
    succeeded() {
      successes = Math.min(calm, successes + 1);
    },
    limit: (most) => (successes >= calm ? most : Math.min(most, firstLimit * 2 ** successes)),
  };
}

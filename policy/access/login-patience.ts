// How long a login may take until it is answered, and so how long those wait who try one: each level longer than the one that it asks.

/** A slow hash of a password waits at most so long for its turn. */
export const slowHashPatienceMs = 10_000;
/** No access server waits longer: so long after the receipt of a login no further home server is asked. */
export const longestForwardMs = 15_000;
/** What REJECT_DELAY_MS may be. */
export const longestRejectDelayMs = 5000;

const marginMs = 1000;
const workerMs = Math.max(slowHashPatienceMs, longestForwardMs) + longestRejectDelayMs + marginMs;

/** Of a login that an operator tries. */
export const testPatienceMs = {
  worker: workerMs,
  mainThread: workerMs + marginMs,
  api: workerMs + 2 * marginMs,
} as const;

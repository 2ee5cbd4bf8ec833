// When a CoA request is sent again and when it is given up (RFC 5080 §2.2.1).

export const retransmission = {
  /** First timeout, doubled each time. */
  initialMs: 2000,
  longestMs: 16_000,
  /** Times the request is sent in all. */
  transmissions: 5,
  /** Given up after this long in any case. */
  totalMs: 30_000,
} as const;

/** The timeout after `previousMs` (null: the first), with ± 10 % of jitter from `random` in [0, 1). */
export function nextTimeoutMs(previousMs: number | null, random: () => number): number {
  const jitter = random() * 0.2 - 0.1;
  const { initialMs, longestMs } = retransmission;
  const timeoutMs = previousMs === null ? initialMs * (1 + jitter) : previousMs * (2 + jitter);
  return timeoutMs > longestMs ? longestMs * (1 + jitter) : timeoutMs;
}

// When what a record tells happened: Event-Timestamp (RFC 2869 §5.3) when believable, else receipt − Acct-Delay-Time (RFC 2866 §5.2).

const aheadMs = 300_000;
const behindMs = 24 * 3_600_000;

/** @param timestampS Event-Timestamp, seconds since 1970 @param delayS Acct-Delay-Time */
export function eventTime(receivedAtMs: number, timestampS: number | undefined, delayS: number | undefined): number {
  if (timestampS !== undefined) {
    const aheadByMs = timestampS * 1000 - receivedAtMs;
    if (aheadByMs <= aheadMs && aheadByMs >= -behindMs) return timestampS * 1000;
  }
  return Math.max(0, receivedAtMs - (delayS ?? 0) * 1000);
}

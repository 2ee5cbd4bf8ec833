// MikroTik RouterOS: the rate is one text, upload first ("rx/tx" as the router sees it).
import type { Speed } from '../speed.ts';
import type { NasProfile } from './profile.ts';

const vendor = 14988;
const rateLimit = 8;

export const mikrotik: NasProfile = {
  vendor: 'mikrotik',
  rate: (speed) => [{ vendor, type: rateLimit, value: mikrotikRateLimit(speed) }],
  sessionKeys: ['userName', 'sessionId', 'framedIp', 'callingStationId', 'nasIpAddress'],
  inputOctets: 'up',
  gardenVerified: false,
};

/** Mikrotik-Rate-Limit of a speed, e.g. `5M/20M`. */
export function mikrotikRateLimit(speed: Speed): string {
  return `${rate(speed.upBps)}/${rate(speed.downBps)}`;
}

/** `M` and `k` are powers of ten; the largest that is exact is used, so that no bit per second is lost. */
function rate(bps: number): string {
  if (bps % 1_000_000 === 0) return `${bps / 1_000_000}M`;
  if (bps % 1000 === 0) return `${bps / 1000}k`;
  return String(bps);
}

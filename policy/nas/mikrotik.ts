// MikroTik RouterOS: the rate is one text, upload first ("rx/tx" as the router sees it).
import type { Speed } from '../speed.ts';
import { type NasAttribute, nasProfileOf, type Quota, type Shape } from './profile.ts';
import { gigawords } from './units.ts';

const vendor = 14988;
const attribute = {
  group: 3,
  rateLimit: 8,
  totalLimit: 17,
  totalLimitGigawords: 18,
  addressList: 19,
  delegatedIpv6Pool: 22,
};

export const mikrotik = nasProfileOf({
  vendor: 'mikrotik',
  title: 'MikroTik RouterOS',
  rate: (speed, shape) => [{ vendor, type: attribute.rateLimit, value: mikrotikRateLimit(speed, shape) }],
  // RouterOS 6 and earlier listened on 1700 by default.
  namings: [{ all: [], also: ['userName', 'sessionId', 'framedIp', 'callingStationId', 'nasIpAddress'] }],
  pools: {
    ipv4: { vendor: 0, type: 88 },
    ipv6: null,
    delegated: { vendor, type: attribute.delegatedIpv6Pool },
  },
  addressList: { vendor, type: attribute.addressList },
  quota,
  // read, write and full are groups that every router has.
  deviceAccess: (access) => [{ vendor, type: attribute.group, value: access }],
});

/**
 * Mikrotik-Rate-Limit of a speed, e.g. `5M/20M`; with everything a shape can say
 * `5M/20M 10M/40M 4M/15M 8/8 3 1M/2M`: rate, burst, burst threshold, burst seconds, priority, guaranteed rate.
 */
export function mikrotikRateLimit(speed: Speed, { burst, priority, least }: Shape = {}): string {
  if (!burst && priority === undefined && !least) return pair(speed);
  const seconds = Math.max(1, Math.floor(burst?.seconds ?? 0));
  // What stands behind needs what stands before it: zeros are no burst.
  const parts = [
    pair(speed),
    ...(burst ? [pair(burst.speed), pair(burst.threshold), `${seconds}/${seconds}`] : noBurst),
  ];
  if (priority !== undefined || least) parts.push(String(Math.min(8, Math.max(1, Math.floor(priority ?? 8)))));
  if (least) parts.push(pair(least));
  return parts.join(' ');
}

const noBurst = ['0/0', '0/0', '0/0'];

function pair({ upBps, downBps }: Speed): string {
  return `${rate(upBps)}/${rate(downBps)}`;
}

/** `M` and `k` are powers of ten; the largest that is exact is used, so that no bit per second is lost. */
function rate(bps: number): string {
  if (bps % 1_000_000 === 0) return `${bps / 1_000_000}M`;
  if (bps % 1000 === 0) return `${bps / 1000}k`;
  return String(bps);
}

function quota({ totalBytes }: Quota): NasAttribute[] {
  const left = gigawords(totalBytes);
  return [
    { vendor, type: attribute.totalLimit, value: left.octets },
    { vendor, type: attribute.totalLimitGigawords, value: left.gigawords },
  ];
}

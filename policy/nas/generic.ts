// Any access server that understands the WISPr bandwidth attributes: bits per second, one attribute for each direction.
import type { NasProfile } from './profile.ts';

const vendor = 14122;
const bandwidthMaxUp = 7;
const bandwidthMaxDown = 8;
/** The attributes are 32 bits wide: a faster tariff is told as the fastest that fits, never as a wrapped-around slow one. */
const fastestBps = 0xffff_ffff;

export const generic: NasProfile = {
  vendor: 'generic',
  rate: (speed) => [
    { vendor, type: bandwidthMaxUp, value: Math.min(speed.upBps, fastestBps) },
    { vendor, type: bandwidthMaxDown, value: Math.min(speed.downBps, fastestBps) },
  ],
  sessionKeys: ['userName', 'sessionId', 'framedIp', 'callingStationId', 'nasIpAddress', 'nasPort', 'nasPortId'],
  inputOctets: 'up',
  gardenVerified: false,
};

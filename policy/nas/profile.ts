// What is known about a vendor's access servers, as data: how a speed is told, how a session is named, what counters mean.
import type { Speed } from '../speed.ts';

/**
 * A RADIUS attribute for the codec. `vendor` 0 is the standard space, else the SMI number of a vendor-specific attribute.
 * Text becomes its octets (UTF-8), a number 32 bits big endian, octets stay as they are.
 */
export type NasAttribute = {
  readonly vendor: number;
  readonly type: number;
  readonly value: string | number | Uint8Array;
};

/** What of a session names it in a CoA-Request or Disconnect-Request (RFC 5176 §3). */
export const sessionKeys = [
  'sessionId',
  'userName',
  'framedIp',
  'nasIpAddress',
  'nasPort',
  'nasPortId',
  'callingStationId',
  'calledStationId',
] as const;
export type SessionKey = (typeof sessionKeys)[number];

export type NasProfile = {
  readonly vendor: string;
  /** The attributes that give a session this speed, the same in an Access-Accept and a CoA-Request. */
  readonly rate: (speed: Speed) => readonly NasAttribute[];
  /** Which keys a CoA-Request carries; those a session lacks are left out. */
  readonly sessionKeys: readonly SessionKey[];
  /** RFC 2866: Acct-Input-Octets is what the NAS received, the subscriber's upload. Some vendors swap the two. */
  readonly inputOctets: 'up' | 'down';
  /** True when the vendor's walled garden is built and tested here; until then a garden becomes a reject. */
  readonly gardenVerified: boolean;
};

// The vendors a NAS record may name, and their profiles.
import { accelPpp } from './accel-ppp.ts';
import { cambium } from './cambium.ts';
import { cisco } from './cisco.ts';
import { coova } from './coova.ts';
import { edgeos } from './edgeos.ts';
import { generic } from './generic.ts';
import { huawei } from './huawei.ts';
import { juniper } from './juniper.ts';
import { mikrotik } from './mikrotik.ts';
import { nokia } from './nokia.ts';
import type { NasProfile } from './profile.ts';
import { zte } from './zte.ts';

const profiles = {
  generic,
  mikrotik,
  cisco,
  juniper,
  huawei,
  nokia,
  zte,
  edgeos,
  cambium,
  coova,
  'accel-ppp': accelPpp,
} as const satisfies Record<string, NasProfile>;

export type Vendor = keyof typeof profiles;
export const vendors = Object.keys(profiles) as readonly Vendor[];

/** The profile of a NAS record's vendor; the generic one for a name that is not among {@link vendors}. */
export function nasProfile(vendor: string): NasProfile {
  const known = vendors.find((name) => name === vendor);
  return profiles[known ?? 'generic'];
}

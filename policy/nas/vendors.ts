// The vendors a NAS record may name, and their profiles.
import { generic } from './generic.ts';
import { mikrotik } from './mikrotik.ts';
import type { NasProfile } from './profile.ts';

const profiles = { generic, mikrotik } as const;

export type Vendor = keyof typeof profiles;
export const vendors = Object.keys(profiles) as readonly Vendor[];

/** The profile of a NAS record's vendor; the generic one for a name that is not among {@link vendors}. */
export function nasProfile(vendor: string): NasProfile {
  const known = vendors.find((name) => name === vendor);
  return profiles[known ?? 'generic'];
}

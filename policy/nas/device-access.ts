// What staff may do on a network device they log in to, and the attributes that most devices understand for it.
import type { NasAttribute } from './profile.ts';

/** read: look. write: change the configuration. full: everything, users and keys of the device included. */
export const deviceAccesses = ['read', 'write', 'full'] as const;
export type DeviceAccess = (typeof deviceAccesses)[number];

/** Service-Type (RFC 2865 §5.6). */
export const serviceType = { login: 1, framed: 2, administrative: 6, nasPrompt: 7 } as const;
/** What logins of staff alone say, or may say while nothing else tells whose they are: the prompts, with callback too, and Authenticate-Only. */
export const staffServiceTypes: readonly number[] = [6, 7, 9, 11, 8];
const type = 6;

export function serviceTypeAttribute(value: number): NasAttribute {
  return { vendor: 0, type, value };
}

/** Administrative is the privileged prompt, NAS-Prompt the one that only looks. */
export function byServiceType(access: DeviceAccess): NasAttribute {
  return serviceTypeAttribute(access === 'read' ? serviceType.nasPrompt : serviceType.administrative);
}

/** `shell:priv-lvl` in Cisco-AVPair, which others than Cisco read too: 1 looks, 7 is for what the operator moves there, 15 may do all. */
export function ciscoPrivilege(access: DeviceAccess): NasAttribute {
  return { vendor: 9, type: 1, value: `shell:priv-lvl=${{ read: 1, write: 7, full: 15 }[access]}` };
}

/** What the operator sets up on the device for staff of these rights, where it wants a name: `lastmile-read` and so on. */
export function accessName(access: DeviceAccess): string {
  return `lastmile-${access}`;
}

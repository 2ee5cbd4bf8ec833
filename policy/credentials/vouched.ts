// Who an access server vouches for without a password: a MAC address, or a subscriber line by its circuit and remote id.
// Such a credential has a realm of its own that no subscriber can type, so it is found by the same key as a user name.

export const reservedRealm = /^:/;

export const credentialKinds = ['login', 'mac', 'line'] as const;
export type CredentialKind = (typeof credentialKinds)[number];

export type VouchedName = { readonly realm: string; readonly userName: string };

const macRealm = ':mac';
const circuitRealm = ':circuit';
const remoteRealm = ':remote';
const lineRealm = ':line';
/** Between circuit and remote id of a line that is named by both. */
const separator = '\u001f';

export function kindOf(realm: string): CredentialKind {
  return realm === macRealm ? 'mac' : reservedRealm.test(realm) ? 'line' : 'login';
}

/** How a MAC address is written by one or another access server; the digits alone are its name here. */
const macForms =
  /^(?:[0-9a-f]{12}|[0-9a-f]{6}[-:.][0-9a-f]{6}|[0-9a-f]{4}([-:.])[0-9a-f]{4}\1[0-9a-f]{4}|[0-9a-f]{2}([-:.])(?:[0-9a-f]{2}\2){4}[0-9a-f]{2})$/;

/** The twelve digits of a MAC address in whatever form, undefined when it is none. */
export function macDigits(text: string): string | undefined {
  const lower = text.toLowerCase();
  return macForms.test(lower) ? lower.replace(/[-:.]/g, '') : undefined;
}

export function macName(digits: string): VouchedName {
  return { realm: macRealm, userName: digits };
}

/** The names under which a line may be stored, the most exact first. An absent id is undefined. */
export function lineNames(circuitId: string | undefined, remoteId: string | undefined): VouchedName[] {
  const names: VouchedName[] = [];
  if (circuitId && remoteId) names.push({ realm: lineRealm, userName: `${circuitId}${separator}${remoteId}` });
  if (circuitId) names.push({ realm: circuitRealm, userName: circuitId });
  if (remoteId) names.push({ realm: remoteRealm, userName: remoteId });
  return names;
}

/** Circuit and remote id of a line's name; null where it has none. */
export function lineOf({ realm, userName }: VouchedName): { circuitId: string | null; remoteId: string | null } {
  if (realm === circuitRealm) return { circuitId: userName, remoteId: null };
  if (realm === remoteRealm) return { circuitId: null, remoteId: userName };
  const [circuitId = null, remoteId = null] = userName.split(separator);
  return { circuitId, remoteId };
}

const printable = /^[ -~]+$/;
const hexText = /^0x(?:[0-9a-f]{2})+$/i;

/**
 * An id of a line as text: its octets where all are printable ASCII, else `0x` and hexadecimal digits in lower case. Access nodes put names
 * there as well as numbers. @param latin1 one character for each octet
 */
export function lineId(latin1: string): string | undefined {
  if (latin1 === '') return undefined;
  if (hexText.test(latin1)) return latin1.toLowerCase();
  if (printable.test(latin1)) return latin1;
  return `0x${[...latin1].map((octet) => octet.charCodeAt(0).toString(16).padStart(2, '0')).join('')}`;
}

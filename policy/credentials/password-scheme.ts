// In what form a subscriber's password is stored, and which methods of authentication that form can serve.

/** The order is part of the snapshot's format: append, never reorder. */
export const passwordSchemes = [
  'clear',
  'crypt',
  'md5',
  'smd5',
  'sha',
  'ssha',
  'sha256',
  'ssha256',
  'sha384',
  'ssha384',
  'sha512',
  'ssha512',
  'nt',
  'argon2',
  'none',
] as const;
/** `none`: there is no password; the access server vouches for who it is. */
export type PasswordScheme = (typeof passwordSchemes)[number];

export function isPasswordScheme(text: string): text is PasswordScheme {
  return (passwordSchemes as readonly string[]).includes(text);
}

/** By what a subscriber may prove a password; inside a tunnel (TTLS, PEAP) the same names hold. */
export const passwordMethods = ['pap', 'chap', 'mschap', 'eap_md5', 'eap_gtc', 'eap_mschapv2'] as const;
export type PasswordMethod = (typeof passwordMethods)[number];

/** The methods that a password stored in this scheme can serve. A challenge needs the password itself, or for MS-CHAP its NT hash. */
export function methodsServed(scheme: PasswordScheme): readonly PasswordMethod[] {
  if (scheme === 'clear') return passwordMethods;
  if (scheme === 'none') return [];
  return scheme === 'nt' ? ['pap', 'mschap', 'eap_gtc', 'eap_mschapv2'] : ['pap', 'eap_gtc'];
}

/** Schemes of a digest, with the octets of the digest; those that begin with s(sha|md5) carry a salt behind it. */
export const digestSchemes = {
  md5: { octets: 16, salted: false },
  smd5: { octets: 16, salted: true },
  sha: { octets: 20, salted: false },
  ssha: { octets: 20, salted: true },
  sha256: { octets: 32, salted: false },
  ssha256: { octets: 32, salted: true },
  sha384: { octets: 48, salted: false },
  ssha384: { octets: 48, salted: true },
  sha512: { octets: 64, salted: false },
  ssha512: { octets: 64, salted: true },
  nt: { octets: 16, salted: false },
} as const satisfies Partial<Record<PasswordScheme, { octets: number; salted: boolean }>>;
export type DigestScheme = keyof typeof digestSchemes;

export function isDigestScheme(scheme: PasswordScheme): scheme is DigestScheme {
  return scheme in digestSchemes;
}

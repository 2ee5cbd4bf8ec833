// Passwords stored as a plain or salted digest, as FreeRADIUS's databases hold them ({md5} {ssha} {nt} …), in hexadecimal or Base64.
import { hash, timingSafeEqual } from 'node:crypto';
import { type DigestScheme, digestSchemes } from '#policy/credentials/password-scheme.ts';
import { ntHash } from '../wire/mschap.ts';

export type StoredDigest = { readonly digest: Buffer; readonly salt: Buffer };

const algorithms = {
  md5: 'md5',
  smd5: 'md5',
  sha: 'sha1',
  ssha: 'sha1',
  sha256: 'sha256',
  ssha256: 'sha256',
  sha384: 'sha384',
  ssha384: 'sha384',
  sha512: 'sha512',
  ssha512: 'sha512',
} as const satisfies Record<Exclude<DigestScheme, 'nt'>, string>;

/** The digest and the salt behind it; undefined when the text holds neither form. Hexadecimal is tried first, as FreeRADIUS does. */
export function decodeDigest(scheme: DigestScheme, stored: Buffer): StoredDigest | undefined {
  const { octets, salted } = digestSchemes[scheme];
  const text = stored.toString('latin1');
  const isHex = text.length % 2 === 0 && /^[0-9a-fA-F]+$/.test(text);
  const fits = (bytes: Buffer) => (salted ? bytes.length > octets : bytes.length === octets);
  const fromHex = isHex ? Buffer.from(text, 'hex') : undefined;
  const bytes = fromHex && fits(fromHex) ? fromHex : Buffer.from(text, 'base64');
  return fits(bytes) ? { digest: bytes.subarray(0, octets), salt: bytes.subarray(octets) } : undefined;
}

/** Whether `offered` is the password; undefined when what is stored is no digest of this scheme. */
export function matchesDigest(scheme: DigestScheme, stored: Buffer, offered: Buffer): boolean | undefined {
  const known = decodeDigest(scheme, stored);
  if (!known) return undefined;
  const computed =
    scheme === 'nt' ? ntHash(offered) : hash(algorithms[scheme], Buffer.concat([offered, known.salt]), 'buffer');
  return timingSafeEqual(computed, known.digest);
}

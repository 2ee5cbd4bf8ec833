// PAP (RFC 2865 §5.2): reveals User-Password with each secret of the NAS and compares it with the stored password.
import { isUtf8 } from 'node:buffer';
import { octetsAt } from '../wire/attributes.ts';
import { authenticatorOffset } from '../wire/authenticators.ts';
import type { Secret } from '../wire/md5.ts';
import type { Packet } from '../wire/packet.ts';
import { revealPassword } from '../wire/user-password.ts';
import { sameOctets } from './same-octets.ts';

/**
 * accepted: it is the password, under secret number `secretIndex`. wrong: it is not; `plausible` tells whether any secret gives readable text,
 * `secretIndex` which one (a wrong shared secret gives rubbish). malformed: no length of a User-Password.
 */
export type PapResult =
  | { readonly kind: 'accepted'; readonly secretIndex: number }
  | { readonly kind: 'wrong'; readonly plausible: boolean; readonly secretIndex: number }
  | { readonly kind: 'malformed' };

/** Compared with when there is no such user, so that the answer takes as long. Never equal: too long for a User-Password. */
export const noPassword: Buffer = Buffer.alloc(129, 0x78);

/** @param at offset of the User-Password attribute */
export function verifyPap(packet: Packet, at: number, secrets: readonly Secret[], stored: Buffer): PapResult {
  const hidden = octetsAt(packet, at);
  let plausibleIndex = -1;
  for (const [index, secret] of secrets.entries()) {
    const plain = revealPassword(hidden, secret, packet.data, packet.start + authenticatorOffset);
    if (!plain) return { kind: 'malformed' };
    if (sameOctets(plain, stored)) return { kind: 'accepted', secretIndex: index };
    if (plausibleIndex < 0 && isReadable(plain)) plausibleIndex = index;
  }
  return { kind: 'wrong', plausible: plausibleIndex >= 0, secretIndex: Math.max(plausibleIndex, 0) };
}

function isReadable(plain: Buffer): boolean {
  return isUtf8(plain) && !plain.some((byte) => byte < 0x20 || byte === 0x7f);
}

// Takes from a home server's reply what the access server may get, with hidden values hidden anew for it (RFC 2868 §3.5, RFC 2548 §2.4).
import type { NasAttribute } from '#policy/nas/profile.ts';
import { attribute, eachAttribute, eachVendorAttribute, octetsAt } from '../wire/attributes.ts';
import { authenticatorOffset } from '../wire/authenticators.ts';
import type { Secret } from '../wire/md5.ts';
import type { Packet } from '../wire/packet.ts';
import { hideSalted, revealSalted } from '../wire/salted.ts';
import { hidePassword, revealPassword } from '../wire/user-password.ts';
import type { Allowed, AllowList } from './allow-list.ts';

/** One side of the exchange: who shares the secret, and the request (its authenticator) that the values are hidden for. */
export type Side = { readonly secret: Secret; readonly data: Buffer; readonly start: number };

export type TranslatedReply = {
  readonly attributes: readonly NasAttribute[];
  /** What was left out: not allowed, or hidden in a way that could not be read. */
  readonly leftOut: number;
};

/** Everything is copied: the reply's memory may go. Proxy-State and Message-Authenticator are not taken: they are of this hop. */
export function translateReply(
  reply: Packet,
  allow: AllowList,
  home: Side,
  nas: Side,
  nextSalt: () => number,
): TranslatedReply {
  const attributes: NasAttribute[] = [];
  let leftOut = 0;

  function take(vendorId: number, type: number, at: number): void {
    const allowed = allow(reply.code, vendorId, type);
    const value = allowed && passedValue(octetsAt(reply, at), allowed, home, nas, nextSalt);
    if (value) attributes.push({ vendor: vendorId, type, value });
    else leftOut++;
  }

  eachAttribute(reply, (type, at) => {
    if (type === attribute.proxyState || type === attribute.messageAuthenticator) return;
    if (type !== attribute.vendorSpecific) take(0, type, at);
    else if (!eachVendorAttribute(reply, at, take)) leftOut++;
  });
  return { attributes, leftOut };
}

/** Undefined when it may not pass after all. */
function passedValue(
  octets: Buffer,
  { hiding, tagged, only }: Allowed,
  home: Side,
  nas: Side,
  nextSalt: () => number,
): Buffer | undefined {
  if (only !== undefined)
    return octets.length === 4 && octets.readUInt32BE(0) === only ? Buffer.from(octets) : undefined;
  switch (hiding) {
    case 'none':
      return Buffer.from(octets);
    case 'password':
      return passwordAnew(octets, home, nas);
    case 'salted': {
      const tag = octets.subarray(0, tagged ? 1 : 0);
      const plain = revealSalted(octets.subarray(tag.length), home.secret, home.data, home.start + authenticatorOffset);
      if (!plain) return undefined;
      const hidden = hideSalted(plain, nas.secret, nas.data, nas.start + authenticatorOffset, nextSalt());
      return Buffer.concat([tag, hidden]);
    }
    default:
      return hiding satisfies never;
  }
}

/** Of the same length as before: the NULs at the end may be part of a key. */
function passwordAnew(octets: Buffer, home: Side, nas: Side): Buffer | undefined {
  const plain = revealPassword(octets, home.secret, home.data, home.start + authenticatorOffset);
  if (!plain) return undefined;
  const whole = Buffer.alloc(octets.length);
  plain.copy(whole);
  return hidePassword(whole, nas.secret, nas.data, nas.start + authenticatorOffset);
}

// Makes the request that goes to a home server of the one that an access server sent (RFC 2865 §2.3, RFC 2866 §2.3, RFC 5997).
import { randomBytes } from 'node:crypto';
import { attribute, eachAttribute, firstAttribute, integerOf, octetsAt } from '../wire/attributes.ts';
import { authenticatorOffset } from '../wire/authenticators.ts';
import { createPacketBuilder } from '../wire/encode.ts';
import { digestLength, type Secret } from '../wire/md5.ts';
import { code, type Packet } from '../wire/packet.ts';
import { hidePassword, maxPasswordLength, revealPassword } from '../wire/user-password.ts';

type Forwarding = {
  readonly identifier: number;
  /** The home server's. */
  readonly secret: Secret;
  /** The Proxy-State that is added behind those that are there. */
  readonly mark: Buffer;
  /** What User-Name becomes; undefined: it stays. */
  readonly userName?: string | undefined;
};

const builder = createPacketBuilder();

/**
 * Message-Authenticator first, the password hidden anew, everything else as it was and in its order. A CHAP response that was to the
 * Request Authenticator gets that as its CHAP-Challenge (RFC 2865 §5.40). Null when it does not fit 4096 octets.
 * @param nasSecret what the access server hid its password with
 */
export function forwardedAccess(packet: Packet, nasSecret: Secret, forwarding: Forwarding): Buffer | null {
  const { identifier, secret, mark, userName } = forwarding;
  const authenticator = randomBytes(digestLength);
  builder.begin(code.accessRequest, identifier);
  builder.messageAuthenticator();
  eachAttribute(packet, (type, at) => {
    if (type === attribute.messageAuthenticator) return;
    if (type === attribute.userName && userName !== undefined) builder.add(type, userName);
    else if (type === attribute.userPassword) {
      const password = revealPassword(octetsAt(packet, at), nasSecret, packet.data, packet.start + authenticatorOffset);
      // One of no valid form is dropped before.
      if (password) builder.add(type, hidePassword(password, secret, authenticator));
    } else builder.copy(packet, at);
  });
  if (firstAttribute(packet, attribute.chapPassword) >= 0 && firstAttribute(packet, attribute.chapChallenge) < 0) {
    const at = packet.start + authenticatorOffset;
    builder.add(attribute.chapChallenge, packet.data.subarray(at, at + digestLength));
  }
  builder.add(attribute.proxyState, mark);
  return builder.finishAccessRequest(authenticator, secret) ? built() : null;
}

/** Why the password of a request cannot be forwarded; null when it can, or there is none. */
export function passwordProblem(packet: Packet): 'two_passwords' | 'password_malformed' | null {
  const at = firstAttribute(packet, attribute.userPassword);
  if (at < 0) return null;
  if (firstAttribute(packet, attribute.chapPassword) >= 0) return 'two_passwords';
  const { length } = octetsAt(packet, at);
  return length <= maxPasswordLength && length % digestLength === 0 ? null : 'password_malformed';
}

/**
 * `heldMs`: how long the record waited here; it goes into Acct-Delay-Time (RFC 2866 §5.2), so that every new attempt is a new packet and
 * tells when things happened. Null when it does not fit.
 */
export function forwardedAccounting(packet: Packet, heldMs: number, forwarding: Forwarding): Buffer | null {
  const { identifier, secret, mark, userName } = forwarding;
  const heldS = Math.floor(heldMs / 1000);
  const delayS = Math.min((integerOf(packet, attribute.acctDelayTime) ?? 0) + heldS, 0xffff_ffff);
  builder.begin(code.accountingRequest, identifier);
  let told = false;
  eachAttribute(packet, (type, at) => {
    if (type === attribute.messageAuthenticator) return;
    if (type === attribute.userName && userName !== undefined) builder.add(type, userName);
    else if (type === attribute.acctDelayTime && heldS > 0) {
      if (!told) builder.add(type, delayS);
      told = true;
    } else builder.copy(packet, at);
  });
  if (heldS > 0 && !told) builder.add(attribute.acctDelayTime, delayS);
  builder.add(attribute.proxyState, mark);
  return builder.finishRequest(secret) ? built() : null;
}

export function statusServer(identifier: number, secret: Secret): Buffer {
  builder.begin(code.statusServer, identifier);
  builder.messageAuthenticator();
  builder.add(attribute.nasIdentifier, 'lastmile');
  if (!builder.finishAccessRequest(randomBytes(digestLength), secret)) throw new Error('a Status-Server always fits');
  return built();
}

function built(): Buffer {
  return Buffer.from(builder.data.subarray(0, builder.length()));
}

// CHAP (RFC 2865 §2.2, §5.3): checks a CHAP-Password against the stored password.
import { attribute, firstAttribute, octetsAt, valueLength } from '../wire/attributes.ts';
import { authenticatorOffset } from '../wire/authenticators.ts';
import { chapPasswordLength, verifyChap } from '../wire/chap.ts';
import { digestLength } from '../wire/md5.ts';
import type { Packet } from '../wire/packet.ts';

/** The challenge is CHAP-Challenge, of any length, or else the Request Authenticator. @param at offset of the CHAP-Password attribute */
export function checkChap(packet: Packet, at: number, stored: Buffer): 'accepted' | 'wrong' | 'malformed' {
  if (valueLength(packet, at) !== chapPasswordLength) return 'malformed';
  const challengeAt = firstAttribute(packet, attribute.chapChallenge);
  const authenticatorAt = packet.start + authenticatorOffset;
  const challenge =
    challengeAt >= 0
      ? octetsAt(packet, challengeAt)
      : packet.data.subarray(authenticatorAt, authenticatorAt + digestLength);
  return verifyChap(octetsAt(packet, at), stored, challenge) ? 'accepted' : 'wrong';
}

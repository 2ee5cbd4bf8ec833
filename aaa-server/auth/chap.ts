// CHAP (RFC 2865 §2.2, §5.3): checks a CHAP-Password against the stored password.
import type { CredentialRecord } from '../subscribers/records.ts';
import { attribute, firstAttribute, octetsAt, valueLength } from '../wire/attributes.ts';
import { authenticatorOffset } from '../wire/authenticators.ts';
import { chapPasswordLength, verifyChap } from '../wire/chap.ts';
import { digestLength } from '../wire/md5.ts';
import { type Credentials, unchecked } from './credentials.ts';
import { type Attempt, dropped, type Proof, proven, refused } from './proof.ts';

/** The challenge is CHAP-Challenge, of any length, or else the Request Authenticator. @param at offset of the CHAP-Password attribute */
export function proveChap(
  credentials: Credentials,
  { packet, secret }: Attempt,
  at: number,
  credential: CredentialRecord | undefined,
): Proof {
  if (valueLength(packet, at) !== chapPasswordLength) return dropped('password_malformed');
  const stored = credentials.clearOf(credential);
  if (stored === 'unreadable') return unchecked(stored);
  if (stored === 'unsuitable') return refused('unsuitable_scheme', secret);
  const challengeAt = firstAttribute(packet, attribute.chapChallenge);
  const authenticatorAt = packet.start + authenticatorOffset;
  const challenge =
    challengeAt >= 0
      ? octetsAt(packet, challengeAt)
      : packet.data.subarray(authenticatorAt, authenticatorAt + digestLength);
  if (verifyChap(octetsAt(packet, at), stored, challenge) && credential) return proven(credential, secret);
  return refused(credential ? 'wrong_password' : 'unknown_user', secret);
}

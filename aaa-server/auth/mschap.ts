// MS-CHAP (RFC 2433) and MS-CHAP-2 (RFC 2759) as RADIUS carries them (RFC 2548 §2), with the keys of MPPE (RFC 3079).
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { NasAttribute } from '#policy/nas/profile.ts';
import type { CredentialRecord } from '../subscribers/records.ts';
import { firstVendorAttribute, octetsAt, vendor } from '../wire/attributes.ts';
import { md4 } from '../wire/md4.ts';
import { authenticatorResponse, challengeHash, challengeResponse, mppeKeys } from '../wire/mschap.ts';
import { type Credentials, unchecked } from './credentials.ts';
import { encryptionAllowed, keyAttributes, microsoft, ofMicrosoft, version1Keys } from './mppe.ts';
import { type Attempt, dropped, type Proof, refused } from './proof.ts';

/** Both versions answer with as many octets: identifier and flags, a challenge or LAN Manager's answer, the NT answer. */
export const responseLength = 50;
/** ERROR_AUTHENTICATION_FAILURE and ERROR_NO_DIALIN_PERMISSION (RFC 2759 §6); R=0: asking again is no use. */
export const authenticationFailure = 691;
const noPermission = 649;

/** @param challengeAt offset of the MS-CHAP-Challenge attribute */
export function proveMsChap(
  credentials: Credentials,
  attempt: Attempt,
  challengeAt: number,
  credential: CredentialRecord | undefined,
): Proof {
  const { packet, secret } = attempt;
  const second = firstVendorAttribute(packet, vendor.microsoft, microsoft.chap2Response);
  const at = second >= 0 ? second : firstVendorAttribute(packet, vendor.microsoft, microsoft.chapResponse);
  if (at < 0) return refused('no_password', secret);
  const response = octetsAt(packet, at);
  const challenge = octetsAt(packet, challengeAt);
  if (response.length !== responseLength || challenge.length !== (second >= 0 ? 16 : 8)) {
    return dropped('password_malformed');
  }
  const hash = credentials.ntHashOf(credential);
  if (hash === 'unreadable') return unchecked(hash);
  const version = second >= 0 ? 2 : 1;
  const error = (number: number) => [errorAttribute(response[0] ?? 0, number, version)];
  if (hash === 'unsuitable') return refused('unsuitable_scheme', secret, error(authenticationFailure));
  const ntResponse = response.subarray(26, 50);
  const answered =
    version === 2
      ? answersVersion2(response, challenge, hash, attempt.userName)
      : answersVersion1(response, challenge, hash);
  if (!answered || !credential) {
    return refused(credential ? 'wrong_password' : 'unknown_user', secret, error(authenticationFailure));
  }
  const keys: NasAttribute[] =
    version === 2
      ? [
          ofMicrosoft(
            microsoft.chap2Success,
            Buffer.concat([response.subarray(0, 1), Buffer.from(authenticatorResponse(hash, ntResponse, answered))]),
          ),
          ...keyAttributes(mppeKeys(hash, ntResponse), packet, secret),
        ]
      : [version1Keys(md4(hash), packet, secret)];
  return {
    kind: 'proven',
    credential,
    secret,
    attributes: [...keys, ...encryptionAllowed],
    refusal: error(noPermission),
    byPassword: true,
  };
}

/** The challenge that was answered, undefined when the answer is wrong. LAN Manager's own answer is not looked at. */
function answersVersion1(response: Buffer, challenge: Buffer, hash: Buffer): Buffer | undefined {
  const usesNt = ((response[1] ?? 0) & 1) === 1;
  const right = timingSafeEqual(challengeResponse(challenge, hash), response.subarray(26, 50));
  return right && usesNt ? challenge : undefined;
}

/** The hash of the challenges that was answered. A domain before the name is not part of it (RFC 2759 §4); some clients think so. */
function answersVersion2(response: Buffer, challenge: Buffer, hash: Buffer, userName: string): Buffer | undefined {
  return matchingChallenge(response.subarray(2, 18), challenge, response.subarray(26, 50), hash, userName);
}

/** The challenge hash that `ntResponse` answers, undefined when it answers none. */
export function matchingChallenge(
  peerChallenge: Buffer,
  authenticatorChallenge: Buffer,
  ntResponse: Buffer,
  hash: Buffer,
  userName: string,
): Buffer | undefined {
  const names = [userName.slice(userName.lastIndexOf('\\') + 1), ...(userName.includes('\\') ? [userName] : [])];
  for (const name of names) {
    const answered = challengeHash(peerChallenge, authenticatorChallenge, Buffer.from(name));
    if (timingSafeEqual(challengeResponse(answered, hash), ntResponse)) return answered;
  }
  return undefined;
}

/** `E=691 R=0 C=… V=3` of version 2; version 1 has neither a new challenge nor its number. */
export function failureText(number: number, version: 1 | 2): string {
  if (version === 1) return `E=${number} R=0`;
  return `E=${number} R=0 C=${randomBytes(16).toString('hex').toUpperCase()} V=3`;
}

function errorAttribute(identifier: number, number: number, version: 1 | 2): NasAttribute {
  return ofMicrosoft(
    microsoft.chapError,
    Buffer.concat([Buffer.of(identifier), Buffer.from(failureText(number, version))]),
  );
}

// Proves a password by whichever of PAP, CHAP and MS-CHAP the request carries.
import type { CredentialRecord } from '../subscribers/records.ts';
import { firstVendorAttribute, vendor } from '../wire/attributes.ts';
import { proveChap } from './chap.ts';
import type { Credentials } from './credentials.ts';
import { microsoft } from './mppe.ts';
import { proveMsChap } from './mschap.ts';
import { provePap } from './pap.ts';
import { type Attempt, type Proof, refused } from './proof.ts';

/** @param papAt @param chapAt offsets of User-Password and CHAP-Password, negative when there is none */
export function proveByPassword(
  credentials: Credentials,
  attempt: Attempt,
  papAt: number,
  chapAt: number,
  credential: CredentialRecord | undefined,
): Proof | Promise<Proof> {
  if (papAt >= 0) return provePap(credentials, attempt, papAt, credential);
  if (chapAt >= 0) return proveChap(credentials, attempt, chapAt, credential);
  const challengeAt = firstVendorAttribute(attempt.packet, vendor.microsoft, microsoft.chapChallenge);
  return challengeAt >= 0
    ? proveMsChap(credentials, attempt, challengeAt, credential)
    : refused('no_password', attempt.secret);
}

// What a method of authentication is given of an Access-Request, and what it finds out: one file in this folder per method.
import type { RestrictReason } from '#policy/access/outcome.ts';
import type { NasAttribute } from '#policy/nas/profile.ts';
import type { DropReason, LoginFailure } from '../counters.ts';
import type { CredentialRecord, NasRecord } from '../subscribers/records.ts';
import { attribute, textOf } from '../wire/attributes.ts';
import type { Secret } from '../wire/md5.ts';
import type { Packet } from '../wire/packet.ts';
import type { NasClient } from './nas-table.ts';

export type Attempt = {
  /** Its memory belongs to the driver: what is needed of it after something was awaited is copied before. */
  readonly packet: Packet;
  readonly nas: NasRecord;
  readonly userName: string;
  /** Those that may hide the password: the one that Message-Authenticator proved, else every secret of the NAS. */
  readonly secrets: readonly Secret[];
  /** The likeliest of them: it signs the reply where the method itself proves none. */
  readonly secret: Secret;
  /** `secret` is proven. */
  readonly proven: boolean;
};

/** @param provenSecret the secret that the Message-Authenticator proved, null without one */
export function attemptOf(
  packet: Packet,
  { record: nas, secrets, lastVerified }: NasClient,
  provenSecret: Secret | null,
): Attempt {
  const secret = provenSecret ?? secrets[lastVerified] ?? secrets[0];
  if (!secret) throw new Error(`NAS ${nas.id} has no secret`);
  return {
    packet,
    nas,
    userName: textOf(packet, attribute.userName) ?? '',
    secrets: provenSecret ? [provenSecret] : secrets,
    secret,
    proven: provenSecret !== null,
  };
}

/** `secret` signs the reply. */
export type Refused = {
  readonly kind: 'reject';
  readonly reason: LoginFailure | RestrictReason;
  readonly attributes: readonly NasAttribute[];
  readonly secret: Secret;
  /** The password decrypts to rubbish under every secret of the NAS. */
  readonly likelyWrongSecret: boolean;
};
export type Challenge = {
  readonly kind: 'challenge';
  readonly attributes: readonly NasAttribute[];
  readonly secret: Secret;
};
export type Dropped = {
  readonly kind: 'drop';
  readonly reason: DropReason;
  /** Of a login to the device itself. */
  readonly ofStaff?: true;
};

export type Proven = {
  readonly kind: 'proven';
  readonly credential: CredentialRecord;
  readonly secret: Secret;
  /** What the method adds to the Accept, such as the keys of the encryption. */
  readonly attributes: readonly NasAttribute[];
  /** What it adds to a Reject when policy refuses the login. */
  readonly refusal: readonly NasAttribute[];
  /** By a password or what is derived of it; false: the access server alone vouches for the device or line. */
  readonly byPassword: boolean;
};

export type Proof = Proven | Refused | Challenge | Dropped;

/** No attributes. */
export const none: readonly NasAttribute[] = [];

export function proven(credential: CredentialRecord, secret: Secret, byPassword = true): Proven {
  return { kind: 'proven', credential, secret, attributes: none, refusal: none, byPassword };
}

export function refused(
  reason: Refused['reason'],
  secret: Secret,
  attributes: readonly NasAttribute[] = none,
  likelyWrongSecret = false,
): Refused {
  return { kind: 'reject', reason, attributes, secret, likelyWrongSecret };
}

export function dropped(reason: DropReason): Dropped {
  return { kind: 'drop', reason };
}

// Decides an Access-Request: whose name, is it the password, what does policy answer. Sends nothing.
import type { RestrictReason } from '#policy/access/outcome.ts';
import type { NasAttribute } from '#policy/nas/profile.ts';
import { checkChap } from '../auth/chap.ts';
import { findCredential } from '../auth/find-credential.ts';
import type { NasClient } from '../auth/nas-table.ts';
import { noPassword, verifyPap } from '../auth/pap.ts';
import type { Passwords } from '../auth/passwords.ts';
import type { DropReason, LoginFailure } from '../counters.ts';
import type { CredentialRecord } from '../subscribers/records.ts';
import { attribute, firstAttribute, textOf } from '../wire/attributes.ts';
import type { Secret } from '../wire/md5.ts';
import type { Packet } from '../wire/packet.ts';
import type { RadiusDeps } from './request.ts';

/** `secret` signs the reply. `likelyWrongSecret`: the password decrypts to rubbish under every secret of the NAS. */
export type LoginDecision =
  | { readonly kind: 'accept'; readonly attributes: readonly NasAttribute[]; readonly secret: Secret }
  | {
      readonly kind: 'reject';
      readonly reason: LoginFailure | RestrictReason;
      readonly secret: Secret;
      readonly likelyWrongSecret: boolean;
    }
  | { readonly kind: 'drop'; readonly reason: DropReason };

type LoginDeps = Pick<RadiusDeps, 'snapshot' | 'authorize' | 'warn'> & { readonly passwords: Passwords };

/** @param proven the secret that the Message-Authenticator proved, null without one */
export function decideLogin(deps: LoginDeps, packet: Packet, client: NasClient, proven: Secret | null): LoginDecision {
  const { record: nas } = client;
  const secrets = proven ? [proven] : client.secrets;
  const likely = proven ?? client.secrets[client.lastVerified] ?? client.secrets[0];
  if (!likely) throw new Error(`NAS ${nas.id} has no secret`);
  const fail = (reason: LoginFailure | RestrictReason, secret = likely, likelyWrongSecret = false): LoginDecision => ({
    kind: 'reject',
    reason,
    secret,
    likelyWrongSecret,
  });
  const answer = (credential: CredentialRecord, secret: Secret): LoginDecision => {
    const answered = deps.authorize(nas, credential);
    if (answered.kind === 'accept') return { kind: 'accept', attributes: answered.attributes, secret };
    return answered.kind === 'reject' ? fail(answered.reason, secret) : { kind: 'drop', reason: 'snapshot_incomplete' };
  };

  const papAt = firstAttribute(packet, attribute.userPassword);
  const chapAt = firstAttribute(packet, attribute.chapPassword);
  if (papAt >= 0 && chapAt >= 0) return { kind: 'drop', reason: 'two_passwords' };
  const userName = textOf(packet, attribute.userName);
  if (!userName) return fail('no_user_name');
  if (firstAttribute(packet, attribute.eapMessage) >= 0) return fail('unsupported_method');
  if (papAt < 0 && chapAt < 0) return fail('no_password');

  const credential = findCredential(deps.snapshot, nas.tenantId, userName);
  let stored: Buffer = noPassword;
  if (credential) {
    try {
      stored = deps.passwords.of(credential);
    } catch (error) {
      // Our fault, not the subscriber's: unanswered, the NAS tries another server.
      deps.warn('stored password cannot be decrypted', { tenantId: nas.tenantId, err: error });
      return { kind: 'drop', reason: 'stored_password_unreadable' };
    }
  }

  if (papAt >= 0) {
    const result = verifyPap(packet, papAt, secrets, stored);
    if (result.kind === 'malformed') return { kind: 'drop', reason: 'password_malformed' };
    const secret = secrets[result.secretIndex] ?? likely;
    if (result.kind === 'accepted' && credential) return answer(credential, secret);
    const rubbish = proven === null && result.kind === 'wrong' && !result.plausible;
    return fail(credential ? 'wrong_password' : 'unknown_user', secret, rubbish);
  }
  const result = checkChap(packet, chapAt, stored);
  if (result === 'malformed') return { kind: 'drop', reason: 'password_malformed' };
  if (result === 'accepted' && credential) return answer(credential, likely);
  return fail(credential ? 'wrong_password' : 'unknown_user');
}

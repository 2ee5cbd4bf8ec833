// Decides an Access-Request: whose name, is it proven, what does policy answer. Sends nothing.
import type { NasAttribute } from '#policy/nas/profile.ts';
import { proveByPassword } from '../auth/by-password.ts';
import type { Credentials } from '../auth/credentials.ts';
import type { DeviceLogins } from '../auth/device-logins.ts';
import type { Eap } from '../auth/eap/eap.ts';
import type { NasClient } from '../auth/nas-table.ts';
import {
  attemptOf,
  type Challenge,
  type Dropped,
  dropped,
  none,
  type Proof,
  type Proven,
  proven,
  type Refused,
  refused,
} from '../auth/proof.ts';
import { vouchedFor } from '../auth/vouched.ts';
import { attribute, firstAttribute } from '../wire/attributes.ts';
import type { Check } from '../wire/check-together.ts';
import type { Secret } from '../wire/md5.ts';
import { copyPacket, type Packet } from '../wire/packet.ts';
import type { EncodedAttributes } from './answers.ts';
import type { LoginAnswer, RadiusDeps } from './request.ts';

export type LoginDecision =
  | {
      readonly kind: 'accept';
      readonly attributes: readonly NasAttribute[];
      /** Behind them; valid until the next login is decided. */
      readonly encoded?: EncodedAttributes;
      readonly secret: Secret;
      /** Of a password that was right: a stay instead of a reject, and what is only vouched for, are none. */
      readonly byPassword: boolean;
      /** Whose login it is, and what its speed follows from; without them it is a stay. */
      readonly subscriptionId?: number;
      readonly outcome?: string;
      /** The reason of the reject that it would be otherwise. */
      readonly stayFor?: string;
    }
  | Refused
  | Challenge
  | Dropped;

type LoginDeps = Pick<RadiusDeps, 'snapshot' | 'authorize' | 'refusedAnswer' | 'remembered' | 'clock'> & {
  readonly credentials: Credentials;
  readonly eap: Eap;
  readonly deviceLogins: DeviceLogins;
};

/**
 * A promise only when something has to be awaited. The packet's memory is read before that alone.
 * @param provenSecret the secret that the Message-Authenticator proved, null without one
 * @param check of this packet, where it was checked with others
 */
export function decideLogin(
  deps: LoginDeps,
  packet: Packet,
  client: NasClient,
  provenSecret: Secret | null,
  check?: Check,
): LoginDecision | Promise<LoginDecision> {
  // Before everything else: a stay instead of a reject is no answer for staff.
  const ofStaff = deps.deviceLogins.decide(packet, client, provenSecret);
  if (ofStaff !== undefined) return ofStaff;
  const away = keptAway(packet, client, provenSecret);
  if (away) return away;
  const decision = decide(deps, packet, client, provenSecret, check);
  if (!(decision instanceof Promise)) {
    return decision.kind === 'reject' && needsNoKeys(packet) ? orStay(deps, client, decision) : decision;
  }
  return needsNoKeys(packet) ? decision.then((late) => orStay(deps, client, late)) : decision;
}

/** Whoever would begin a session at an access server that is drained; what has begun, with a State, goes on. */
function keptAway(packet: Packet, client: NasClient, provenSecret: Secret | null): LoginDecision | undefined {
  const { drain } = client.record;
  if (!drain || !isKeptAway(packet, client)) return undefined;
  // A reject of EAP would need the failure inside that only its method can give.
  if (drain.answer === 'silence' || firstAttribute(packet, attribute.eapMessage) >= 0) return dropped('nas_draining');
  return refused('nas_draining', attemptOf(packet, client, provenSecret).secret);
}

export function isKeptAway(packet: Packet, { record }: NasClient): boolean {
  return record.drain !== undefined && record.drain !== null && firstAttribute(packet, attribute.state) < 0;
}

/** An Accept without a proof is of use only where the access server proves nothing by it: PAP and CHAP. */
function needsNoKeys(packet: Packet): boolean {
  const plain =
    firstAttribute(packet, attribute.userPassword) >= 0 || firstAttribute(packet, attribute.chapPassword) >= 0;
  return plain && firstAttribute(packet, attribute.eapMessage) < 0;
}

/** A short stay in the walled garden instead of the reject, where the tenant gives one. */
function orStay({ refusedAnswer }: LoginDeps, { record, test }: NasClient, decision: LoginDecision): LoginDecision {
  if (decision.kind !== 'reject' || decision.likelyWrongSecret) return decision;
  const { reason, secret } = decision;
  const attributes = refusedAnswer?.(record, reason, test !== undefined);
  return attributes ? { kind: 'accept', attributes, secret, byPassword: false, stayFor: reason } : decision;
}

function decide(
  deps: LoginDeps,
  packet: Packet,
  client: NasClient,
  provenSecret: Secret | null,
  check: Check | undefined,
): LoginDecision | Promise<LoginDecision> {
  const key = check?.secret === provenSecret ? check?.key : undefined;
  const known = deps.remembered?.answer(packet, client, provenSecret, deps.clock.nowMs(), key);
  if (known && provenSecret) {
    const { subscriptionId, outcome } = known;
    const what = { subscriptionId, outcome, secret: provenSecret };
    return { kind: 'accept', attributes: none, encoded: known, byPassword: true, ...what };
  }
  const proof = prove(deps, packet, client, provenSecret);
  if (!(proof instanceof Promise)) return conclude(deps, packet, client, proof);
  const kept = copyPacket(packet);
  return proof.then((found) => conclude(deps, kept, client, found));
}

function prove(
  { snapshot, credentials, eap }: LoginDeps,
  packet: Packet,
  client: NasClient,
  provenSecret: Secret | null,
): Proof | Promise<Proof> {
  const papAt = firstAttribute(packet, attribute.userPassword);
  const chapAt = firstAttribute(packet, attribute.chapPassword);
  if (papAt >= 0 && chapAt >= 0) return dropped('two_passwords');
  const attempt = attemptOf(packet, client, provenSecret);
  const { userName, secret } = attempt;
  // Whose login it is tells the identity inside.
  if (firstAttribute(packet, attribute.eapMessage) >= 0) return eap.prove(attempt);
  if (userName === '') return refused('no_user_name', secret);
  const credential = credentials.find(client.record.tenantId, userName);
  const vouched = credential ? undefined : vouchedFor(snapshot, attempt);
  if (vouched) return proven(vouched, secret, false);
  return proveByPassword(credentials, attempt, papAt, chapAt, credential);
}

function conclude(
  deps: LoginDeps,
  packet: Packet,
  client: NasClient,
  proof: Proof,
): LoginDecision | Promise<LoginDecision> {
  if (proof.kind !== 'proven') return proof;
  const answer = deps.authorize(client, proof.credential, packet);
  if (answer instanceof Promise) return answer.then((late) => decisionOf(proof, late));
  const { secret, byPassword, credential } = proof;
  if (byPassword && answer.kind === 'accept' && answer.found) {
    const { remembered, clock, credentials } = deps;
    remembered?.remember(packet, client, secret, credential, answer.found, clock.nowMs(), credentials);
  }
  return decisionOf(proof, answer);
}

function decisionOf(proof: Proven, answer: LoginAnswer): LoginDecision {
  const { secret, byPassword } = proof;
  switch (answer.kind) {
    case 'accept': {
      const { subscriptionId } = proof.credential;
      const attributes = both(proof.attributes, answer.attributes);
      return { kind: 'accept', attributes, secret, byPassword, subscriptionId, outcome: answer.outcome };
    }
    case 'reject':
      return refused(answer.reason, secret, proof.refusal);
    case 'unavailable':
      return dropped(answer.reason);
    default:
      return answer satisfies never;
  }
}

function both(method: readonly NasAttribute[], policy: readonly NasAttribute[]): readonly NasAttribute[] {
  return method === none ? policy : [...method, ...policy];
}

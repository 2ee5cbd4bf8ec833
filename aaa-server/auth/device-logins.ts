// Answers logins of staff to the device itself. A subscriber's name proves nothing here, and a name of staff nothing anywhere else.
import { randomBytes } from 'node:crypto';
import type { Clock } from '#ops/runtime/clock.ts';
import { partitionOf } from '#policy/ledger/keys.ts';
import type { NasAttribute } from '#policy/nas/profile.ts';
import { nasProfile } from '#policy/nas/vendors.ts';
import { makeClass, outcomeHash } from '../accounting/class.ts';
import type { Counters, DeviceLoginResult } from '../counters.ts';
import { placeOf } from '../network/place.ts';
import type { LoginDecision } from '../radius/login.ts';
import type { NasRecord } from '../subscribers/records.ts';
import { attribute, firstAttribute, textOf } from '../wire/attributes.ts';
import type { Secret } from '../wire/md5.ts';
import type { Packet } from '../wire/packet.ts';
import { proveByPassword } from './by-password.ts';
import type { Credentials } from './credentials.ts';
import type { DeviceAttempts, Trying } from './device-attempts.ts';
import { askedService, isOfSubscriber } from './device-request.ts';
import type { DeviceUser, DeviceUsers } from './device-users.ts';
import type { NasClient } from './nas-table.ts';
import { attemptOf, dropped, none, type Proof, type Refused, refused } from './proof.ts';

export type DeviceLogins = {
  /** Whether it asks for the device itself. */
  concerns(packet: Packet, client: NasClient): boolean;
  /** Undefined: it is a subscriber's login. */
  decide(
    packet: Packet,
    client: NasClient,
    provenSecret: Secret | null,
  ): LoginDecision | Promise<LoginDecision> | undefined;
};

export type DeviceLoginsDeps = {
  readonly users: DeviceUsers;
  readonly credentials: Credentials;
  readonly attempts: DeviceAttempts;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly counters: Pick<Counters, 'count'>;
  /** `keyring.derive('class')` */
  readonly classKey: Buffer;
};

export function createDeviceLogins(deps: DeviceLoginsDeps): DeviceLogins {
  const { users, credentials, attempts, clock, counters, classKey } = deps;

  function refuse(result: DeviceLoginResult, refusal: Refused): Refused {
    counters.count('deviceLogins', result);
    return { ...refusal, reason: 'device_login_refused' };
  }

  /** `trying` undefined: a test, which takes no tries and brings none back. */
  function conclude(nas: NasRecord, user: DeviceUser | undefined, proof: Proof, trying?: Trying): LoginDecision {
    switch (proof.kind) {
      case 'reject':
        return refuse(resultOf(proof.reason), proof);
      case 'drop':
        return { ...proof, ofStaff: true };
      case 'challenge':
        return proof;
      case 'proven':
        break;
      default:
        return proof satisfies never;
    }
    if (!user) throw new Error('nobody was proven');
    const { record } = user;
    const why = whyNot(user, nas, clock.nowMs());
    if (why) return refuse(why, refused('device_login_refused', proof.secret, proof.refusal));
    if (trying) attempts.succeeded(trying);
    counters.count('deviceLogins', 'accepted');
    const allowed = nasProfile(nas.vendor).deviceAccess(record.access);
    const attributes = [...proof.attributes, ...allowed, nobodysClass(nas.tenantId)];
    const nobodys = { subscriptionId: 0, outcome: `device:${record.access}` };
    return { kind: 'accept', attributes, secret: proof.secret, byPassword: true, ...nobodys };
  }

  /** What the device accounts of the login is no subscriber's. */
  function nobodysClass(tenantId: number): NasAttribute {
    const nobody = { tenantId, subscriptionId: 0, partition: partitionOf(tenantId, 0), uuid: randomBytes(16) };
    const value = makeClass(classKey, { ...nobody, outcomeHash: outcomeHash('device') });
    return { vendor: 0, type: attribute.class, value };
  }

  return {
    concerns: (packet, client) => staffOf(users, credentials, packet, client.record) !== undefined,
    decide(packet, client, provenSecret) {
      const found = staffOf(users, credentials, packet, client.record);
      if (found === undefined) return undefined;
      const user = found ?? undefined;
      const nas = client.record;
      const attempt = attemptOf(packet, client, provenSecret);
      const papAt = firstAttribute(packet, attribute.userPassword);
      const chapAt = firstAttribute(packet, attribute.chapPassword);
      if (papAt >= 0 && chapAt >= 0) return { ...dropped('two_passwords'), ofStaff: true };
      if (firstAttribute(packet, attribute.eapMessage) >= 0)
        return refuse('no_password', refused('device_login_refused', attempt.secret, none));
      const trying = client.test ? undefined : tryingOf(packet, client, attempt.userName);
      if (trying && !attempts.take(trying, user !== undefined))
        return refuse('throttled', refused('device_login_refused', attempt.secret, none));
      const proof = proveByPassword(credentials, attempt, papAt, chapAt, user?.credential);
      if (!(proof instanceof Promise)) return conclude(nas, user, proof, trying);
      return proof.then((late) => conclude(nas, user, late, trying));
    },
  };
}

function tryingOf(packet: Packet, client: NasClient, userName: string): Trying {
  const { nasInstance, callingStationId } = placeOf(packet, client);
  return { instance: nasInstance, station: callingStationId, userName };
}

/** Undefined: a subscriber's; null: the device's, and nobody of that name may log in anywhere. */
export function staffOf(
  users: DeviceUsers,
  credentials: Pick<Credentials, 'find'>,
  packet: Packet,
  nas: NasRecord,
): DeviceUser | null | undefined {
  if (nas.deviceLogins === 'never') return undefined;
  const asked = askedService(packet, nas.vendor);
  // What says nothing of a service may be anybody's: only a name of staff that no subscriber has makes it theirs.
  if (asked === 'subscriber' || (asked === 'nothing' && users.isEmpty())) return undefined;
  const user = users.find(nas.tenantId, textOf(packet, attribute.userName) ?? '') ?? null;
  if (asked === 'nothing' && (!user || credentials.find(nas.tenantId, user.record.userName))) return undefined;
  // A hotspot says Login too, but also whose device it is and how that is connected.
  return asked !== 'device' && isOfSubscriber(packet) ? undefined : user;
}

/** Asked only of who has proven the password: nobody else learns who is there. */
export function whyNot({ record }: DeviceUser, nas: NasRecord, nowMs: number): DeviceLoginResult | null {
  if (!record.enabled) return 'disabled';
  if (record.validUntilMs !== null && nowMs >= record.validUntilMs) return 'expired';
  return record.nasIds === null || record.nasIds.includes(nas.id) ? null : 'elsewhere';
}

function resultOf(reason: string): DeviceLoginResult {
  return reason === 'unknown_user' || reason === 'wrong_password' || reason === 'unsuitable_scheme'
    ? reason
    : 'no_password';
}

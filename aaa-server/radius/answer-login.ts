// The attributes of a login's answer: what authorize() decided, with the Class that ties its accounting to it.
import type { Clock } from '#ops/runtime/clock.ts';
import type { FeedSilence } from '#policy/access/expiry.ts';
import { partitionOf } from '#policy/ledger/keys.ts';
import type { NasAttribute } from '#policy/nas/profile.ts';
import { nasProfile } from '#policy/nas/vendors.ts';
import { makeClass } from '../accounting/class.ts';
import { authorize } from '../auth/authorize.ts';
import type { CredentialRecord, NasRecord, SnapshotReader } from '../subscribers/records.ts';
import { attribute } from '../wire/attributes.ts';
import type { LoginAnswer } from './request.ts';

export type AnswerLoginDeps = {
  readonly snapshot: SnapshotReader;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** `keyring.derive('class')` */
  readonly classKey: Buffer;
  readonly feedSilence: Pick<FeedSilence, 'toleratedMs' | 'extraGraceMs'>;
  /** In [0, 1). */
  random(): number;
  /** 32 hex digits or 16 octets, new with every call. */
  uuid(): string | Uint8Array;
};

export function createAnswerLogin(
  deps: AnswerLoginDeps,
): (nas: NasRecord, credential: CredentialRecord) => LoginAnswer {
  const { snapshot, clock, classKey, feedSilence, random, uuid } = deps;
  return (nas, credential) => {
    const { tenantId } = credential;
    const nowMs = clock.nowMs();
    const result = authorize(snapshot, credential, nowMs, {
      nas: nasProfile(nas.vendor),
      feedSilence,
      mirrorSilentSinceMs: snapshot.mirrorState().inStepAtMs,
      random,
    });
    if (result.kind === 'unknown_user') return { kind: 'reject', reason: 'unknown_user' };
    if (result.kind === 'unavailable') return { kind: 'unavailable' };
    const { outcome, subscription, reply } = result;
    if (outcome.kind === 'reject') return { kind: 'reject', reason: outcome.reason };
    const loginClass = makeClass(classKey, {
      tenantId,
      partition: partitionOf(tenantId, subscription.id),
      subscriptionId: subscription.id,
      uuid: uuid(),
      outcomeHash: reply.outcomeHash,
    });
    const timeout: NasAttribute[] =
      reply.sessionTimeoutS === null ? [] : [standard(attribute.sessionTimeout, reply.sessionTimeoutS)];
    return {
      kind: 'accept',
      attributes: [
        ...reply.rate,
        ...reply.addresses,
        ...timeout,
        standard(attribute.acctInterimInterval, reply.interimIntervalS),
        standard(attribute.class, loginClass),
      ],
    };
  };
}

function standard(type: number, value: NasAttribute['value']): NasAttribute {
  return { vendor: 0, type, value };
}

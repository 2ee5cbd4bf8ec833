// The attributes of a login's answer: what authorize() decided, with the Class that ties its accounting to it.
import type { Clock } from '#ops/runtime/clock.ts';
import type { FeedSilence } from '#policy/access/expiry.ts';
import { partitionOf } from '#policy/ledger/keys.ts';
import type { NasAttribute } from '#policy/nas/profile.ts';
import { nasProfile } from '#policy/nas/vendors.ts';
import { makeClass } from '../accounting/class.ts';
import { addressAttributes } from '../auth/address-attributes.ts';
import { authorize } from '../auth/authorize.ts';
import type { NasClient } from '../auth/nas-table.ts';
import type { GateAnswer } from '../network/gate.ts';
import type { LoginNetwork } from '../network/network.ts';
import type { CredentialRecord, SnapshotReader } from '../subscribers/records.ts';
import { attribute } from '../wire/attributes.ts';
import type { Packet } from '../wire/packet.ts';
import type { LoginAnswer } from './request.ts';

export type AnswerLoginDeps = {
  readonly snapshot: SnapshotReader;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** `keyring.derive('class')` */
  readonly classKey: Buffer;
  readonly feedSilence: Pick<FeedSilence, 'toleratedMs' | 'extraGraceMs'>;
  /** Pools, limits of sessions and devices; absent: there are none. */
  readonly network?: LoginNetwork;
  /** In [0, 1). */
  random(): number;
  /** 32 hex digits or 16 octets, new with every call. */
  uuid(): string | Uint8Array;
};

export function createAnswerLogin(
  deps: AnswerLoginDeps,
): (
  nas: Pick<NasClient, 'record' | 'several'>,
  credential: CredentialRecord,
  packet: Packet,
) => LoginAnswer | Promise<LoginAnswer> {
  const { snapshot, clock, classKey, feedSilence, network, random, uuid } = deps;
  return (nas, credential, packet) => {
    const { tenantId } = credential;
    const nowMs = clock.nowMs();
    const result = authorize(snapshot, credential, nowMs, {
      nas: nasProfile(nas.record.vendor),
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
    const accept = {
      kind: 'accept' as const,
      attributes: [
        ...reply.rate,
        ...reply.addresses,
        ...timeout,
        standard(attribute.acctInterimInterval, reply.interimIntervalS),
        standard(attribute.class, loginClass),
      ],
    };
    const asked = network?.ask(nas, result, packet) ?? null;
    if (asked === null) return accept;
    return asked instanceof Promise
      ? asked.then((answer) => withAddresses(accept, answer))
      : withAddresses(accept, asked);
  };
}

function withAddresses(accept: LoginAnswer & { kind: 'accept' }, answer: GateAnswer): LoginAnswer {
  if (answer.kind === 'refused') return { kind: 'reject', reason: answer.reason };
  return { kind: 'accept', attributes: [...accept.attributes, ...addressAttributes(answer.addresses)] };
}

function standard(type: number, value: NasAttribute['value']): NasAttribute {
  return { vendor: 0, type, value };
}

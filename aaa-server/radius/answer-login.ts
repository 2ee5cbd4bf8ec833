// The attributes of a login's answer: what authorize() decided, with the Class that ties its accounting to it.
import type { Clock } from '#ops/runtime/clock.ts';
import type { FeedSilence } from '#policy/access/expiry.ts';
import { partitionOf } from '#policy/ledger/keys.ts';
import { configuredNas } from '#policy/nas/configured.ts';
import type { NasAttribute } from '#policy/nas/profile.ts';
import { withAdded } from '#policy/nas/reply-attributes.ts';
import { makeClass } from '../accounting/class.ts';
import { addressAttributes } from '../auth/address-attributes.ts';
import { authorize } from '../auth/authorize.ts';
import type { NasClient } from '../auth/nas-table.ts';
import type { GateAnswer } from '../network/gate.ts';
import type { LoginNetwork } from '../network/network.ts';
import type { CredentialRecord, NasRecord, SnapshotReader } from '../subscribers/records.ts';
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
  /** The access server knows no policy of the speed of this outcome: it was given the next lower one. */
  onNearestSpeed?(nas: NasRecord, outcomeText: string): void;
};

export function createAnswerLogin(
  deps: AnswerLoginDeps,
): (
  nas: Pick<NasClient, 'record' | 'several' | 'test'>,
  credential: CredentialRecord,
  packet: Packet,
) => LoginAnswer | Promise<LoginAnswer> {
  const { snapshot, clock, classKey, feedSilence, network, random, uuid } = deps;
  return (nas, credential, packet) => {
    const { tenantId } = credential;
    const nowMs = clock.nowMs();
    const result = authorize(snapshot, credential, nowMs, {
      nas: configuredNas(nas.record),
      feedSilence,
      mirrorSilentSinceMs: snapshot.mirrorState().inStepAtMs,
      random,
    });
    if (result.kind === 'unknown_user') return { kind: 'reject', reason: 'unknown_user' };
    if (result.kind === 'unavailable') return { kind: 'unavailable', reason: 'snapshot_incomplete' };
    const { outcome, plan, subscription, reply } = result;
    if (outcome.kind === 'reject') return { kind: 'reject', reason: outcome.reason };
    // Without attributes for it the session would have no limit at all.
    if (!reply.speed) return { kind: 'reject', reason: 'speed_policy_missing' };
    if (reply.speed.match === 'nearest') deps.onNearestSpeed?.(nas.record, reply.outcomeText);
    const loginClass = makeClass(classKey, {
      tenantId,
      partition: partitionOf(tenantId, subscription.id),
      subscriptionId: subscription.id,
      uuid: uuid(),
      outcomeHash: reply.outcomeHash,
    });
    const timeout: NasAttribute[] =
      reply.sessionTimeoutS === null ? [] : [standard(attribute.sessionTimeout, reply.sessionTimeoutS)];
    const decided = [
      ...reply.speed.attributes,
      ...reply.addresses,
      ...timeout,
      standard(attribute.acctInterimInterval, reply.interimIntervalS),
      standard(attribute.class, loginClass),
    ];
    const accept = (addresses: readonly NasAttribute[]): LoginAnswer & { kind: 'accept' } => ({
      kind: 'accept',
      outcome: reply.outcomeText,
      attributes: withAdded(
        addresses.length === 0 ? decided : [...decided, ...addresses],
        nas.record.attributes,
        plan.attributes,
        subscription.attributes,
      ),
    });
    const asked = network?.ask(nas, result, packet) ?? null;
    if (asked === null) return { ...accept([]), found: result };
    const answer = (found: GateAnswer): LoginAnswer => {
      switch (found.kind) {
        case 'go':
          return accept(addressAttributes(found.addresses));
        case 'refused':
          return { kind: 'reject', reason: found.reason };
        case 'unavailable':
          return { kind: 'unavailable', reason: 'addresses_unavailable' };
      }
    };
    return asked instanceof Promise ? asked.then(answer) : answer(asked);
  };
}

function standard(type: number, value: NasAttribute['value']): NasAttribute {
  return { vendor: 0, type, value };
}

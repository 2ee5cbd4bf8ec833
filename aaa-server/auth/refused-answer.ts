// A short stay in the walled garden for a login that would be rejected, where its tenant says so. Bounded: who is refused never uses anything up.
import type { Clock } from '#ops/runtime/clock.ts';
import { type GardenStay, type Refusal, stayOf } from '#policy/access/refused-login.ts';
import { partitionOf } from '#policy/ledger/keys.ts';
import { configuredNas } from '#policy/nas/configured.ts';
import { type NasAttribute, textAttribute } from '#policy/nas/profile.ts';
import { makeClass, outcomeHash } from '../accounting/class.ts';
import type { NasRecord, SnapshotReader } from '../subscribers/records.ts';
import { attribute, vendor } from '../wire/attributes.ts';

/** `look`: nobody stays, so nothing is counted. */
export type RefusedAnswer = (nas: NasRecord, reason: string, look?: boolean) => readonly NasAttribute[] | null;

export type RefusedAnswerDeps = {
  readonly snapshot: Pick<SnapshotReader, 'tenant'>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** `keyring.derive('class')` */
  readonly classKey: Buffer;
  /** How many workers share the limit of the node. */
  readonly workers: number;
  /** 32 hex digits or 16 octets, new with every call. */
  uuid(): string | Uint8Array;
};

/** WISPr-Redirection-URL, where the vendor has nothing of its own. */
const redirectionUrl = { vendor: vendor.wispr, type: 4 };

/** The attributes of the Accept, or null: a reject it is. */
export function createRefusedAnswer({ snapshot, clock, classKey, workers, uuid }: RefusedAnswerDeps): RefusedAnswer {
  const stays = new Map<string, Stays>();

  return (nas, reason, look = false) => {
    const { tenantId } = nas;
    const found = stayOf(snapshot.tenant(tenantId)?.refusedLogins, reason);
    if (!found) return null;
    const { refusal, stay } = found;
    if (look) return attributesOf(nas, refusal, stay);
    const limit = Math.max(1, Math.floor(stay.atOnce / workers));
    const key = `${tenantId} ${refusal}`;
    const running = stays.get(key) ?? createStays();
    stays.set(key, running);
    if (!running.begin(clock.monotonicMs(), stay.sessionTimeoutS * 1000, limit)) return null;
    return attributesOf(nas, refusal, stay);
  };

  /** Null: the access server cannot be told a speed, or nothing that fences the stay: without them it would be the whole network at full speed. */
  function attributesOf(nas: NasRecord, refusal: Refusal, stay: GardenStay): NasAttribute[] | null {
    const { profile, tell } = configuredNas(nas);
    const told = tell(stay.speed);
    if (!told) return null;
    const { framedPool, addressList, portalUrl, sessionTimeoutS } = stay;
    const list = addressList === '' || !profile.addressList ? [] : [textAttribute(profile.addressList, addressList)];
    if (framedPool === '' && list.length === 0) return null;
    // Nobody's: accounting of the stay is no subscription's usage, and enforcement lets it alone.
    const nobody = { tenantId: nas.tenantId, subscriptionId: 0, partition: partitionOf(nas.tenantId, 0) };
    const content = { ...nobody, uuid: uuid(), outcomeHash: outcomeHash(`refused:${refusal}`) };
    return [
      ...told.attributes,
      ...(framedPool === '' ? [] : [textAttribute(profile.pools.ipv4, framedPool)]),
      ...list,
      ...(portalUrl === '' ? [] : [textAttribute(profile.redirectUrl ?? redirectionUrl, portalUrl)]),
      { vendor: 0, type: attribute.sessionTimeout, value: sessionTimeoutS },
      { vendor: 0, type: attribute.class, value: makeClass(classKey, content) },
    ];
  }
}

type Stays = { begin(nowMs: number, lastsMs: number, limit: number): boolean };

/** The ends of the stays that were granted, oldest first; Session-Timeout ends them without a word. Each begins and ends once: no search. */
function createStays(): Stays {
  const ends: number[] = [];
  let first = 0;
  return {
    begin(nowMs, lastsMs, limit) {
      while (first < ends.length && (ends[first] ?? 0) <= nowMs) first++;
      if (ends.length - first >= limit) return false;
      if (first > 1000) ends.splice(0, first);
      if (first > 1000) first = 0;
      ends.push(nowMs + lastsMs);
      return true;
    },
  };
}

// A short stay in the walled garden for a login that would be rejected, where its tenant says so. Bounded: who is refused never uses anything up.
import type { Clock } from '#ops/runtime/clock.ts';
import { type GardenStay, type Refusal, stayOf } from '#policy/access/refused-login.ts';
import { partitionOf } from '#policy/ledger/keys.ts';
import type { NasAttribute } from '#policy/nas/profile.ts';
import { nasProfile } from '#policy/nas/vendors.ts';
import { makeClass, outcomeHash } from '../accounting/class.ts';
import type { NasRecord, SnapshotReader } from '../subscribers/records.ts';
import { attribute, vendor } from '../wire/attributes.ts';

export type RefusedAnswer = (nas: NasRecord, reason: string) => readonly NasAttribute[] | null;

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

const mikrotikAddressList = 19;
const wisprRedirectionUrl = 4;

/** The attributes of the Accept, or null: a reject it is. */
export function createRefusedAnswer({ snapshot, clock, classKey, workers, uuid }: RefusedAnswerDeps): RefusedAnswer {
  const stays = new Map<string, Stays>();

  return (nas, reason) => {
    const { tenantId } = nas;
    const found = stayOf(snapshot.tenant(tenantId)?.refusedLogins, reason);
    if (!found) return null;
    const { refusal, stay } = found;
    const limit = Math.max(1, Math.floor(stay.atOnce / workers));
    const key = `${tenantId} ${refusal}`;
    const running = stays.get(key) ?? createStays();
    stays.set(key, running);
    if (!running.begin(clock.monotonicMs(), stay.sessionTimeoutS * 1000, limit)) return null;
    return attributesOf(nas, refusal, stay);
  };

  function attributesOf(nas: NasRecord, refusal: Refusal, stay: GardenStay): NasAttribute[] {
    const { framedPool, addressList, portalUrl, sessionTimeoutS, speed } = stay;
    // Nobody's: accounting of the stay is no subscription's usage, and enforcement lets it alone.
    const nobody = { tenantId: nas.tenantId, subscriptionId: 0, partition: partitionOf(nas.tenantId, 0) };
    const content = { ...nobody, uuid: uuid(), outcomeHash: outcomeHash(`refused:${refusal}`) };
    const list: NasAttribute =
      nas.vendor === 'mikrotik'
        ? { vendor: vendor.mikrotik, type: mikrotikAddressList, value: addressList }
        : { vendor: 0, type: attribute.filterId, value: addressList };
    return [
      ...nasProfile(nas.vendor).rate(speed),
      ...(framedPool === '' ? [] : [{ vendor: 0, type: attribute.framedPool, value: framedPool }]),
      ...(addressList === '' ? [] : [list]),
      ...(portalUrl === '' ? [] : [{ vendor: vendor.wispr, type: wisprRedirectionUrl, value: portalUrl }]),
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

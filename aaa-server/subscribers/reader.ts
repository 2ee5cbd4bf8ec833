// The read side of the subscriber snapshot, in a worker thread or the main thread: one LMDB get per lookup.
import { decodeMacs } from '#policy/ledger/macs.ts';
import type { Pool } from '#policy/network/pool.ts';
import type { Changes } from './changes.ts';
import type { DeviceUserRecord } from './device-users.ts';
import { decodeCredential, decodeProfileRecord, decodeSubscription, decodeVersioned, versionOf } from './encoding.ts';
import { currentSnapshot, type Environment, openForReading, openNodeForReading } from './environment.ts';
import {
  kinds,
  longestName,
  rangeOf,
  recordKeyLength,
  startOfTenant,
  tenantOfKey,
  writeCredentialKey,
  writeRecordKey,
} from './keys.ts';
import { metaKeys, readNumber } from './meta.ts';
import type { PlanRecord, SnapshotReader, Standing, TenantRecord } from './records.ts';
import type { ProxyRecord } from './records-of-proxy.ts';
import { completeNas, type StoredNas } from './stored-nas.ts';

export type ReaderOptions = {
  /** Folder of the snapshot, e.g. `<data>/subscribers`. */
  path: string;
  /** How often the reader looks whether a rebuilt snapshot took the place of its own; default 250 ms. */
  swapCheckMs?: number;
  /** false: opens nothing until `follow()` is called. */
  follow?: boolean;
  /** For so long what belongs to everybody (marks, tenants, plans) is not read again: for threads that answer many logins. Default 0. */
  marksStandMs?: number;
  /** Where the writer of the snapshot and of decided profiles marks what it changes. */
  changes?: { readonly snapshot: Changes; readonly profiles: Changes };
};

export type OpenReader = SnapshotReader & { follow(): void; close(): Promise<void> };

/** `generation`: of the snapshot when the version was last compared. */
type Decoded<T> = { version: number; generation: number; tenantId: number; record: T };

/** Works before there is anything to read: nothing is complete and nothing is found until the main thread has written it. */
export function openSnapshotReader(options: ReaderOptions): OpenReader {
  let node: Environment | undefined;
  let snapshot: Environment | undefined;
  let file = '';
  const key = Buffer.alloc(recordKeyLength);
  // One for each length that occurs: there are few, and LMDB takes its length from the key.
  const nameKeys: Buffer[] = [];
  const nameKeyOf = (length: number) => (nameKeys[length] ??= Buffer.alloc(length));
  const marks = { complete: 0, feedAliveAtMs: 0, generation: 0, nasGeneration: 0, mirrorInStepAtMs: 0, profiles: 0 };
  const { marksStandMs = 0 } = options;
  let marksStand = false;
  const tenants = new Map<number, Decoded<TenantRecord>>();
  const plans = new Map<number, Decoded<PlanRecord>>();

  function look(): void {
    node ??= openNodeForReading(options.path);
    const current = node ? currentSnapshot(node) : '';
    if (current === file) return;
    const next = openForReading(options.path, current);
    if (!next) return;
    const previous = snapshot;
    snapshot = next;
    file = current;
    marksStand = false;
    tenants.clear();
    plans.clear();
    if (previous) void previous.close();
  }
  let timer: NodeJS.Timeout | undefined;
  function follow(): void {
    look();
    timer ??= setInterval(look, options.swapCheckMs ?? 250).unref();
  }
  if (options.follow !== false) follow();

  function currentMarks(): typeof marks {
    if (marksStand) return marks;
    marks.complete = readNumber(snapshot, metaKeys.complete);
    marks.feedAliveAtMs = readNumber(snapshot, metaKeys.feedAlive);
    marks.generation = readNumber(snapshot, metaKeys.generation);
    marks.nasGeneration = readNumber(snapshot, metaKeys.nasGeneration);
    marks.mirrorInStepAtMs = readNumber(node, metaKeys.mirrorInStep);
    marks.profiles = options.changes ? readNumber(node, metaKeys.profileGeneration) : 0;
    if (marksStandMs > 0) {
      marksStand = true;
      setTimeout(() => {
        marksStand = false;
      }, marksStandMs).unref();
    }
    return marks;
  }

  function versioned<T>(
    cache: Map<number, Decoded<T>>,
    kind: 'tenant' | 'plan',
    tenantId: number,
    id: number,
  ): T | undefined {
    if (!snapshot) return undefined;
    const { generation } = currentMarks();
    const known = cache.get(id);
    if (known && known.tenantId === tenantId && known.generation === generation) return known.record;
    const bytes = snapshot.getBinaryFast(writeRecordKey(key, kinds[kind], tenantId, id));
    if (!bytes) {
      if (known?.tenantId === tenantId) cache.delete(id);
      return undefined;
    }
    const version = versionOf(bytes);
    if (known && known.version === version && known.tenantId === tenantId) {
      known.generation = generation;
      return known.record;
    }
    const record = decodeVersioned<T>(bytes, bytes.length);
    cache.set(id, { version, generation, tenantId, record });
    return record;
  }

  return {
    follow,
    ...(options.changes ? { standing: standingOf(options.changes, currentMarks, key, nameKeyOf) } : {}),
    complete: () => currentMarks().complete === 1,
    feedAliveAtMs: () => currentMarks().feedAliveAtMs,
    nasGeneration: () => currentMarks().nasGeneration,
    mirrorState: () => ({ inStepAtMs: currentMarks().mirrorInStepAtMs }),
    tenant: (tenantId) => versioned(tenants, 'tenant', tenantId, tenantId),
    onlyTenant: () => (snapshot ? onlyTenantOf(snapshot) : undefined),
    plan: (tenantId, planId) => versioned(plans, 'plan', tenantId, planId),
    subscription(tenantId, id) {
      const bytes = snapshot?.getBinaryFast(writeRecordKey(key, kinds.subscription, tenantId, id));
      return bytes && decodeSubscription(tenantId, id, bytes);
    },
    credential(tenantId, realm, userName) {
      if (!snapshot || userName.length > longestName || realm.length > longestName) return undefined;
      const bytes = snapshot.getBinaryFast(writeCredentialKey(nameKeyOf, tenantId, realm, userName));
      return bytes && decodeCredential(tenantId, realm, userName, bytes, bytes.length);
    },
    profile(tenantId, subscriptionId) {
      const bytes = node?.getBinaryFast(writeRecordKey(key, kinds.profile, tenantId, subscriptionId));
      return bytes && decodeProfileRecord(tenantId, subscriptionId, bytes);
    },
    macs(tenantId, subscriptionId) {
      const bytes = node?.getBinaryFast(writeRecordKey(key, kinds.macs, tenantId, subscriptionId));
      return bytes ? decodeMacs(bytes.toString('latin1', 0, bytes.length)) : [];
    },
    nasList: () => (snapshot ? listVersioned<StoredNas>(snapshot, 'nas').map(completeNas) : []),
    poolList: () => (snapshot ? listVersioned<Pool>(snapshot, 'pool') : []),
    deviceUserList: () => (snapshot ? listVersioned<DeviceUserRecord>(snapshot, 'device_user') : []),
    proxyList: () => (snapshot ? listVersioned<ProxyRecord>(snapshot, 'proxy') : []),
    async close() {
      clearInterval(timer);
      const open = [snapshot, node];
      snapshot = undefined;
      node = undefined;
      marksStand = false;
      file = '';
      timer = undefined;
      for (const environment of open) await environment?.close();
    },
  };
}

/** What a writer of another process wrote is newer than anything that is marked here: nothing stands then. */
function standingOf(
  changes: NonNullable<ReaderOptions['changes']>,
  marks: () => { readonly generation: number; readonly profiles: number },
  key: Buffer,
  nameKeyOf: (length: number) => Buffer,
): Standing {
  const versions = { snapshot: 0, profiles: 0 };
  return {
    versions() {
      const { generation, profiles } = marks();
      versions.snapshot = generation;
      versions.profiles = profiles;
      return versions;
    },
    placeOfCredential: (tenantId, realm, userName) =>
      userName.length > longestName || realm.length > longestName
        ? undefined
        : changes.snapshot.placeOf(writeCredentialKey(nameKeyOf, tenantId, realm, userName)),
    placeOfSubscription: (tenantId, id) =>
      changes.snapshot.placeOf(writeRecordKey(key, kinds.subscription, tenantId, id)),
    ofSnapshot: (place, version) =>
      marks().generation <= changes.snapshot.last() && changes.snapshot.stands(place, version),
    ofProfiles: (place, version) =>
      marks().profiles <= changes.profiles.last() && changes.profiles.stands(place, version),
  };
}

function listVersioned<T>(snapshot: Environment, kind: 'nas' | 'pool' | 'device_user' | 'proxy'): T[] {
  const found: T[] = [];
  for (const tenantId of tenantsOf(snapshot)) {
    for (const { value } of snapshot.getRange(rangeOf(kind, tenantId)))
      found.push(decodeVersioned<T>(value, value.length));
  }
  return found;
}

function onlyTenantOf(snapshot: Environment): number | undefined {
  const found: number[] = [];
  for (const tenantId of tenantsOf(snapshot)) if (found.push(tenantId) > 1) return undefined;
  return found[0];
}

/** Every tenant that has a record, by skipping from one to the next. */
export function* tenantsOf(environment: Environment): Generator<number> {
  for (let after = 1; ; ) {
    const [key] = [...environment.getKeys({ start: startOfTenant(after), limit: 1 })];
    if (!key) return;
    const tenantId = tenantOfKey(key);
    yield tenantId;
    after = tenantId + 1;
  }
}

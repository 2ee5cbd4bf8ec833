// The read side of the subscriber snapshot, in a worker thread or the main thread: one LMDB get per lookup.
import {
  decodeCredential,
  decodeNas,
  decodeProfileRecord,
  decodeSubscription,
  decodeVersioned,
  versionOf,
} from './encoding.ts';
import { currentSnapshot, type Environment, openForReading, openNodeForReading } from './environment.ts';
import {
  credentialKey,
  kinds,
  longestName,
  metaKey,
  rangeOf,
  recordKeyLength,
  startOfTenant,
  tenantOfKey,
  writeRecordKey,
} from './keys.ts';
import type { NasRecord, PlanRecord, SnapshotReader, TenantRecord } from './records.ts';

export const metaKeys = {
  complete: metaKey('complete'),
  position: metaKey('position'),
  feedAlive: metaKey('feed alive'),
  nasGeneration: metaKey('nas generation'),
  mirrorInStep: metaKey('mirror in step'),
} as const;

export type ReaderOptions = {
  /** Folder of the snapshot, e.g. `<data>/subscribers`. */
  path: string;
  /** How often the reader looks whether a rebuilt snapshot took the place of its own; default 250 ms. */
  swapCheckMs?: number;
};

type Decoded<T> = { version: number; tenantId: number; record: T };

/** Works before there is anything to read: nothing is complete and nothing is found until the main thread has written it. */
export function openSnapshotReader(options: ReaderOptions): SnapshotReader & { close(): Promise<void> } {
  let node: Environment | undefined;
  let snapshot: Environment | undefined;
  let file = '';
  const key = Buffer.alloc(recordKeyLength);
  const tenants = new Map<number, Decoded<TenantRecord>>();
  const plans = new Map<number, Decoded<PlanRecord>>();

  function follow(): void {
    node ??= openNodeForReading(options.path);
    const current = node ? currentSnapshot(node) : '';
    if (current === file) return;
    const next = openForReading(options.path, current);
    if (!next) return;
    const previous = snapshot;
    snapshot = next;
    file = current;
    tenants.clear();
    plans.clear();
    if (previous) void previous.close();
  }
  follow();
  const timer = setInterval(follow, options.swapCheckMs ?? 250);
  timer.unref();

  function versioned<T>(
    cache: Map<number, Decoded<T>>,
    kind: 'tenant' | 'plan',
    tenantId: number,
    id: number,
  ): T | undefined {
    if (!snapshot) return undefined;
    const bytes = snapshot.getBinaryFast(writeRecordKey(key, kinds[kind], tenantId, id));
    if (!bytes) {
      cache.delete(id);
      return undefined;
    }
    const version = versionOf(bytes);
    const known = cache.get(id);
    if (known && known.version === version && known.tenantId === tenantId) return known.record;
    const record = decodeVersioned<T>(bytes, bytes.length);
    cache.set(id, { version, tenantId, record });
    return record;
  }

  function number(environment: Environment | undefined, name: Buffer): number {
    return environment?.getBinaryFast(name)?.readDoubleLE(0) ?? 0;
  }

  return {
    complete: () => number(snapshot, metaKeys.complete) === 1,
    feedAliveAtMs: () => number(snapshot, metaKeys.feedAlive),
    nasGeneration: () => number(snapshot, metaKeys.nasGeneration),
    mirrorState: () => ({ inStepAtMs: number(node, metaKeys.mirrorInStep) }),
    tenant: (tenantId) => versioned(tenants, 'tenant', tenantId, tenantId),
    plan: (tenantId, planId) => versioned(plans, 'plan', tenantId, planId),
    subscription(tenantId, id) {
      const bytes = snapshot?.getBinaryFast(writeRecordKey(key, kinds.subscription, tenantId, id));
      return bytes && decodeSubscription(tenantId, id, bytes);
    },
    credential(tenantId, realm, userName) {
      if (!snapshot || userName.length > longestName || realm.length > longestName) return undefined;
      const bytes = snapshot.getBinaryFast(credentialKey(tenantId, realm, userName));
      return bytes && decodeCredential(tenantId, realm, userName, bytes, bytes.length);
    },
    profile(tenantId, subscriptionId) {
      const bytes = node?.getBinaryFast(writeRecordKey(key, kinds.profile, tenantId, subscriptionId));
      return bytes && decodeProfileRecord(tenantId, subscriptionId, bytes);
    },
    nasList: () => (snapshot ? listNases(snapshot) : []),
    async close() {
      clearInterval(timer);
      const open = [snapshot, node];
      snapshot = undefined;
      node = undefined;
      for (const environment of open) await environment?.close();
    },
  };
}

function listNases(snapshot: Environment): NasRecord[] {
  const found: NasRecord[] = [];
  for (const tenantId of tenantsOf(snapshot)) {
    for (const { value } of snapshot.getRange(rangeOf('nas', tenantId))) found.push(decodeNas(value, value.length));
  }
  return found;
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

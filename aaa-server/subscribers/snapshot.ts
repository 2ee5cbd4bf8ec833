// One snapshot file of the writing side: takes rows over, removes records, keeps what is held, counts what it has.

import type { Changes } from './changes.ts';
import {
  type CredentialName,
  credentialNames,
  decodeCredential,
  decodeSubscription,
  decodeVersioned,
  encodeCredential,
  encodeSubscription,
  encodeVersioned,
} from './encoding.ts';
import { type Environment, openForWriting } from './environment.ts';
import { credentialKey, idOfKey, type Kind, rangeOf, recordKey } from './keys.ts';
import { metaKeys, numberBytes, readNumber } from './meta.ts';
import { tenantsOf } from './reader.ts';
import type { CredentialRecord } from './records.ts';
import { type FeedKind, feedKinds, type SourceRow } from './rows.ts';
import type { FeedKey, Position } from './source.ts';

export const countedKinds = [
  'tenant',
  'plan',
  'nas',
  'subscription',
  'credential',
  'pool',
  'device_user',
  'proxy',
] as const;
export type CountedKind = (typeof countedKinds)[number];
export type Tally = Record<CountedKind, number>;

/** Something the source no longer has: a record (`gone`) with the credentials that go with it, or only credentials of it. */
export type Removal = FeedKey & { readonly gone: boolean; readonly names: readonly CredentialName[] };
/** A removal that waits for an operator; the records stay. */
export type Held = Removal & { readonly sinceMs: number };
/** How many removals were let through at an instant; they count against the limit for a while. */
export type Removed = { readonly atMs: number; readonly count: number };

export type Snapshot = {
  readonly file: string;
  readonly environment: Environment;
  complete(): boolean;
  /** Undefined too when another release wrote the records: it may have passed over what it did not know, so that all is copied anew. */
  position(): Position | undefined;
  generation(): number;
  tallies(): ReadonlyMap<number, Tally>;
  /** Takes rows over. @returns what differed, and which credentials the rows no longer have; those stay until removed. */
  put(rows: readonly SourceRow[]): Promise<{ changed: FeedKey[]; lost: Removal[] }>;
  /** What is stored under a key, with its credentials. */
  row(key: FeedKey): SourceRow | undefined;
  keys(kind: FeedKind): FeedKey[];
  /** What of these keys is stored, as removals. */
  stored(keys: readonly FeedKey[]): Removal[];
  /** Without the credentials that belong to another subscription by now; undefined when nothing is left of it. */
  pending(removal: Removal): Removal | undefined;
  remove(removals: readonly Removal[]): Promise<void>;
  held(tenantId: number): Held[];
  heldOf(key: FeedKey): Held | undefined;
  setHeld(add: readonly Held[], drop: readonly FeedKey[]): Promise<void>;
  removed(tenantId: number): Removed[];
  setRemoved(tenantId: number, list: readonly Removed[]): Promise<void>;
  mark(marks: { position?: Position; complete?: boolean; feedAliveAtMs?: number }): Promise<void>;
  close(): Promise<void>;
};

/** Of the records and of what is taken over: one more with every release that changes either. */
const format = 3;

/** `generationFloor`: where versions of a new file start, above those of the file it replaces. `changes`: where what is written is marked. */
export function openSnapshot(folder: string, file: string, generationFloor = 0, changes?: Changes): Snapshot {
  const environment = openForWriting(folder, file);
  const tallies = countRecords(environment);
  let generation = Math.max(generationFloor, readNumber(environment, metaKeys.generation));
  // Of what another file had, or another process wrote, nothing is known.
  changes?.markAll(generation);

  const tallyOf = (tenantId: number): Tally => {
    let tally = tallies.get(tenantId);
    if (!tally) {
      tally = emptyTally();
      tallies.set(tenantId, tally);
    }
    return tally;
  };
  const credentialOf = (tenantId: number, { realm, userName }: CredentialName): CredentialRecord | undefined => {
    const bytes = environment.getBinaryFast(credentialKey(tenantId, realm, userName));
    return bytes && decodeCredential(tenantId, realm, userName, bytes, bytes.length);
  };
  const ownNames = ({ tenantId, id }: FeedKey, names: readonly CredentialName[]) =>
    names.filter((name) => credentialOf(tenantId, name)?.subscriptionId === id);
  const storedNames = ({ tenantId, id }: FeedKey): CredentialName[] => {
    const bytes = environment.getBinaryFast(recordKey('subscription', tenantId, id));
    return bytes ? ownNames({ kind: 'subscription', tenantId, id }, credentialNames(bytes)) : [];
  };

  async function put(rows: readonly SourceRow[]): Promise<{ changed: FeedKey[]; lost: Removal[] }> {
    const writes: { kind: CountedKind; tenantId: number; key: Buffer; value: Buffer; isNew: boolean }[] = [];
    const changed: FeedKey[] = [];
    const lost: Removal[] = [];
    let nasChanged = false;

    const write = (kind: CountedKind, tenantId: number, key: Buffer, value: Buffer, from = 0): boolean => {
      const old = environment.getBinaryFast(key);
      if (old && old.length === value.length && old.compare(value, from, value.length, from, old.length) === 0) {
        return false;
      }
      writes.push({ kind, tenantId, key, value, isNew: old === undefined });
      return true;
    };

    for (const row of rows) {
      if (row.kind === 'unreadable') continue;
      const { id } = row.record;
      const tenantId = row.kind === 'tenant' ? id : row.record.tenantId;
      const key = recordKey(row.kind, tenantId, id);
      let differs = false;
      if (row.kind === 'subscription') {
        const names = row.credentials.map(({ realm, userName }) => ({ realm, userName }));
        const gone = storedNames({ kind: 'subscription', tenantId, id }).filter((old) => !names.some(sameName(old)));
        for (const credential of row.credentials) {
          const at = credentialKey(tenantId, credential.realm, credential.userName);
          if (write('credential', tenantId, at, encodeCredential(credential))) differs = true;
        }
        if (write('subscription', tenantId, key, encodeSubscription(row.record, [...names, ...gone]))) differs = true;
        if (gone.length > 0) lost.push({ kind: 'subscription', tenantId, id, gone: false, names: gone });
      } else {
        differs = write(row.kind, tenantId, key, encodeVersioned(generation + 1, row.record), 8);
        if (differs && row.kind !== 'plan') nasChanged = true;
      }
      if (differs) changed.push({ kind: row.kind, tenantId, id });
    }
    if (writes.length === 0) return { changed, lost };
    generation++;
    changes?.mark(keysOf(writes), generation);
    if (writes.some(concernsMany)) changes?.markAll(generation);
    await environment.batch(() => {
      for (const { key, value } of writes) void environment.put(key, value);
      void environment.put(metaKeys.generation, numberBytes(generation));
      if (nasChanged) void environment.put(metaKeys.nasGeneration, numberBytes(generation));
    });
    const counted = new Set<string>();
    for (const { kind, tenantId, key, isNew } of writes) {
      const text = isNew ? key.toString('latin1') : '';
      if (!isNew || counted.has(text)) continue;
      counted.add(text);
      tallyOf(tenantId)[kind]++;
    }
    return { changed, lost };
  }

  async function remove(removals: readonly Removal[]): Promise<void> {
    const dead: { kind: CountedKind; tenantId: number; key: Buffer }[] = [];
    const rewritten: { key: Buffer; value: Buffer }[] = [];
    let nasChanged = false;
    for (const removal of removals) {
      const { kind, tenantId, id, gone, names } = removal;
      for (const { realm, userName } of ownNames(removal, names)) {
        dead.push({ kind: 'credential', tenantId, key: credentialKey(tenantId, realm, userName) });
      }
      const key = recordKey(kind, tenantId, id);
      const bytes = environment.getBinary(key);
      if (!bytes) continue;
      if (gone) {
        dead.push({ kind, tenantId, key });
        if (kind !== 'plan' && kind !== 'subscription') nasChanged = true;
      } else {
        const kept = storedNames(removal).filter((name) => !names.some(sameName(name)));
        rewritten.push({ key, value: encodeSubscription(decodeSubscription(tenantId, id, bytes), kept) });
      }
    }
    generation++;
    changes?.mark(keysOf([...dead, ...rewritten]), generation);
    if (dead.some(concernsMany)) changes?.markAll(generation);
    await environment.batch(() => {
      for (const { key } of dead) void environment.remove(key);
      for (const { key, value } of rewritten) void environment.put(key, value);
      for (const { kind, tenantId, id } of removals) void environment.remove(heldKey({ kind, tenantId, id }));
      void environment.put(metaKeys.generation, numberBytes(generation));
      if (nasChanged) void environment.put(metaKeys.nasGeneration, numberBytes(generation));
    });
    for (const { kind, tenantId } of dead) tallyOf(tenantId)[kind]--;
  }

  function row(key: FeedKey): SourceRow | undefined {
    const { kind, tenantId, id } = key;
    const bytes = environment.getBinary(recordKey(kind, tenantId, id));
    if (!bytes) return undefined;
    if (kind !== 'subscription') return { kind, record: decodeVersioned(bytes, bytes.length) } as SourceRow;
    const credentials = storedNames(key).flatMap((name) => credentialOf(tenantId, name) ?? []);
    return { kind, record: decodeSubscription(tenantId, id, bytes), credentials };
  }

  return {
    file,
    environment,
    row,
    complete: () => readNumber(environment, metaKeys.complete) === 1,
    position() {
      const stored = jsonOf<Position & { format?: number }>(environment.getBinary(metaKeys.position));
      return stored?.format === format ? stored : undefined;
    },
    generation: () => generation,
    tallies: () => tallies,
    put,
    remove,
    keys: (kind) =>
      [...tallies.keys()].flatMap((tenantId) =>
        [...environment.getKeys(rangeOf(kind, tenantId))].map((key) => ({ kind, tenantId, id: idOfKey(key) })),
      ),
    stored: (keys) =>
      keys
        .filter((key) => environment.doesExist(recordKey(key.kind, key.tenantId, key.id)))
        .map((key) => ({ ...key, gone: true, names: key.kind === 'subscription' ? storedNames(key) : [] })),
    pending(removal) {
      const names = ownNames(removal, removal.names);
      return removal.gone || names.length > 0 ? { ...removal, names } : undefined;
    },
    held: (tenantId) =>
      [...environment.getRange(rangeOf('held', tenantId))].map(({ value }) =>
        decodeVersioned<Held>(value, value.length),
      ),
    heldOf(key) {
      const bytes = environment.getBinary(heldKey(key));
      return bytes && decodeVersioned<Held>(bytes, bytes.length);
    },
    async setHeld(add, drop) {
      await environment.batch(() => {
        for (const key of drop) void environment.remove(heldKey(key));
        for (const held of add) void environment.put(heldKey(held), encodeVersioned(0, held));
      });
    },
    removed: (tenantId) => jsonOf<Removed[]>(environment.getBinary(recordKey('removed', tenantId, 0))) ?? [],
    async setRemoved(tenantId, list) {
      await environment.put(recordKey('removed', tenantId, 0), Buffer.from(JSON.stringify(list)));
    },
    async mark({ position, complete, feedAliveAtMs }) {
      await environment.batch(() => {
        if (position) {
          const { identity, snapshot } = position;
          void environment.put(metaKeys.position, Buffer.from(JSON.stringify({ identity, snapshot, format })));
        }
        if (complete !== undefined) void environment.put(metaKeys.complete, numberBytes(complete ? 1 : 0));
        if (feedAliveAtMs !== undefined) void environment.put(metaKeys.feedAlive, numberBytes(feedAliveAtMs));
      });
    },
    close: () => environment.close(),
  };
}

/** The kind goes into the upper bits of the id: ids stay below 2^50. */
function heldKey({ kind, tenantId, id }: FeedKey): Buffer {
  return recordKey('held', tenantId, feedKinds.indexOf(kind satisfies FeedKind) * 2 ** 50 + id);
}

export function sameName(a: CredentialName): (b: CredentialName) => boolean {
  return (b) => a.realm === b.realm && a.userName === b.userName;
}

const keysOf = (records: readonly { readonly key: Buffer }[]) => records.map(({ key }) => key);

/** A tenant or tariff is part of many answers. */
function concernsMany({ kind }: { readonly kind: CountedKind }): boolean {
  return kind === 'tenant' || kind === 'plan';
}

function emptyTally(): Tally {
  return { tenant: 0, plan: 0, nas: 0, subscription: 0, credential: 0, pool: 0, device_user: 0, proxy: 0 };
}

function countRecords(environment: Environment): Map<number, Tally> {
  const tallies = new Map<number, Tally>();
  for (const tenantId of tenantsOf(environment)) {
    const tally = emptyTally();
    for (const kind of countedKinds) tally[kind] = environment.getKeysCount(rangeOf(kind satisfies Kind, tenantId));
    tallies.set(tenantId, tally);
  }
  return tallies;
}

function jsonOf<T>(bytes: Buffer | undefined): T | undefined {
  return bytes && (JSON.parse(bytes.toString()) as T);
}

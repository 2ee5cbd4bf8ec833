// Applies what changed in the source to the current snapshot; removals pass the guard first.
import type { Client } from 'pg';
import { mayRemove, recentRemovals } from './limits.ts';
import { feedKinds, type SourceRow } from './rows.ts';
import type { Held, Removal, Snapshot } from './snapshot.ts';
import { type FeedKey, readRows } from './source.ts';

const chunkSize = 1000;

export type TakenOver = {
  /** What is different in LMDB now. */
  readonly changed: FeedKey[];
  /** What the source no longer has; still there until settled. */
  readonly vanished: Removal[];
};

export type Settled = {
  readonly removed: FeedKey[];
  /** Tenants of which removals were held back now. */
  readonly heldTenants: number[];
};

/** Re-reads the current state of `keys`: doing so twice, or in another order, ends the same. */
export async function takeOver(
  client: Client,
  snapshot: Snapshot,
  keys: readonly FeedKey[],
  onUnreadable: (row: SourceRow & { kind: 'unreadable' }) => void,
): Promise<TakenOver> {
  const changed: FeedKey[] = [];
  const vanished: Removal[] = [];
  for (const kind of feedKinds) {
    const ofKind = keys.filter((key) => key.kind === kind);
    for (let at = 0; at < ofKind.length; at += chunkSize) {
      const chunk = ofKind.slice(at, at + chunkSize);
      const ids = chunk.map(({ id }) => id);
      const rows = await readRows(client, kind, ids);
      for (const row of rows) if (row.kind === 'unreadable') onUnreadable(row);
      const result = await snapshot.put(rows);
      changed.push(...result.changed);
      const present = new Set(rows.map(keyTextOfRow));
      vanished.push(...result.lost, ...snapshot.stored(chunk.filter((key) => !present.has(textOf(key)))));
    }
  }
  return { changed, vanished };
}

/**
 * Decides what happens to what vanished, once every one of `keys` is taken over: a credential may have moved to another
 * subscription, a record may be back.
 */
export async function settleRemovals(
  snapshot: Snapshot,
  keys: readonly FeedKey[],
  vanished: readonly Removal[],
  nowMs: number,
): Promise<Settled> {
  const last = new Map(vanished.map((removal) => [textOf(removal), removal]));
  const removals = [...last.values()].flatMap((removal) => snapshot.pending(removal) ?? []);
  await dissolve(snapshot, keys, removals);
  return settle(snapshot, removals, nowMs);
}

/** Removes what an operator confirmed. */
export async function releaseHeld(snapshot: Snapshot, held: readonly Held[]): Promise<void> {
  for (let at = 0; at < held.length; at += chunkSize) await snapshot.remove(held.slice(at, at + chunkSize));
}

/** What was held and is back in the source is held no longer. */
async function dissolve(snapshot: Snapshot, keys: readonly FeedKey[], removals: readonly Removal[]): Promise<void> {
  const still = new Set(removals.map(textOf));
  const back = keys.filter((key) => !still.has(textOf(key)) && snapshot.heldOf(key));
  if (back.length > 0) await snapshot.setHeld([], back);
}

async function settle(snapshot: Snapshot, removals: readonly Removal[], nowMs: number): Promise<Settled> {
  // No subscriber goes with these, and they are meant at once: staff who are to get in no more, realms and copies that are switched off.
  const free = removals.filter(isUnguarded);
  if (free.length > 0) await snapshot.remove(free);
  const removed: FeedKey[] = [...free];
  const heldTenants: number[] = [];
  const guarded = removals.filter((removal) => !isUnguarded(removal));
  for (const [tenantId, ofTenant] of Map.groupBy(guarded, (removal) => removal.tenantId)) {
    const standing = snapshot.held(tenantId).length > 0;
    const recent = recentRemovals(snapshot.removed(tenantId), nowMs);
    const tally = snapshot.tallies().get(tenantId);
    if (!standing && tally && mayRemove(tally, recent, ofTenant.length)) {
      await snapshot.setRemoved(tenantId, [...recent, { atMs: nowMs, count: ofTenant.length }]);
      await snapshot.remove(ofTenant);
      removed.push(...ofTenant);
    } else {
      const held: Held[] = ofTenant.map((removal) => ({
        ...removal,
        sinceMs: snapshot.heldOf(removal)?.sinceMs ?? nowMs,
      }));
      await snapshot.setHeld(held, []);
      heldTenants.push(tenantId);
    }
  }
  return { removed, heldTenants };
}

function isUnguarded({ kind }: Removal): boolean {
  return kind === 'device_user' || kind === 'proxy';
}

export function textOf({ kind, tenantId, id }: FeedKey): string {
  return `${kind}:${tenantId}:${id}`;
}

function keyTextOfRow(row: SourceRow): string {
  const kind = row.kind === 'unreadable' ? row.of : row.kind;
  const { id } = row.record;
  return textOf({ kind, tenantId: row.kind === 'tenant' ? id : row.record.tenantId, id });
}

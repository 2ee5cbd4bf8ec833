// A full copy of the source into a new snapshot file, which takes the place of the current one only when it is whole and plausible.
import type { Client } from 'pg';
import { textOf } from './apply.ts';
import { nextSnapshotFile, removeOtherSnapshots, syncFolder } from './environment.ts';
import { credentialKey } from './keys.ts';
import { type Loss, reloadLosses } from './limits.ts';
import type { SourceRow } from './rows.ts';
import { openSnapshot, type Snapshot, sameName } from './snapshot.ts';
import { copyAll, type FeedKey, type SourceState } from './source.ts';
import type { Store } from './store.ts';

const pageSize = 2000;

export type CopyOptions = {
  client: Client;
  state: SourceState;
  store: Store;
  /** Losses an operator has confirmed, with exactly these counts. */
  confirmed: readonly Loss[];
  nowMs(): number;
  onUnreadable(row: SourceRow & { kind: 'unreadable' }): void;
  /** After each page; throws to give up. */
  onPage?(): void | Promise<void>;
};

export type CopyResult =
  | { readonly kind: 'copied' }
  /** The new one has far fewer records: the old one stays, with the staff of the new one. */
  | { readonly kind: 'held'; readonly losses: readonly Loss[]; readonly staff: readonly FeedKey[] };

/** Runs inside the database snapshot of `state`. */
export async function copySource(options: CopyOptions): Promise<CopyResult> {
  const { client, state, store, confirmed } = options;
  const old = store.current();
  removeOtherSnapshots(store.folder, old?.file ?? '');
  const file = nextSnapshotFile(store.folder);
  const next = openSnapshot(store.folder, file, (old?.generation() ?? 0) + 1, store.changes);
  let losses: Loss[] = [];
  try {
    let written: Promise<unknown> = Promise.resolve();
    for await (const rows of copyAll(client, pageSize)) {
      await written;
      written = next.put(rows);
      for (const row of rows) {
        if (row.kind !== 'unreadable') continue;
        options.onUnreadable(row);
        const stored = old?.row({ kind: row.of, ...row.record });
        if (stored) await next.put([stored]);
      }
      await options.onPage?.();
    }
    await written;
    if (old?.complete()) losses = unconfirmed(reloadLosses(old.tallies(), next.tallies()), confirmed);
    if (losses.length === 0) {
      if (old) await keepHeld(old, next);
      await next.mark({ position: state, complete: true, feedAliveAtMs: options.nowMs() });
      await next.environment.flushed;
    }
  } catch (error) {
    await next.close();
    throw error;
  }
  if (losses.length > 0) {
    const staff = old ? await takeStaffOver(old, next) : [];
    await next.close();
    removeOtherSnapshots(store.folder, old?.file ?? '');
    return { kind: 'held', losses, staff };
  }
  syncFolder(store.folder);
  await store.replace(next);
  return { kind: 'copied' };
}

function unconfirmed(losses: readonly Loss[], confirmed: readonly Loss[]): Loss[] {
  return losses.filter(
    ({ tenantId, count }) => !confirmed.some((known) => known.tenantId === tenantId && known.count === count),
  );
}

/**
 * Staff who are to get in no more do not wait for an operator. It may be the wrong source, so nobody gets in by it who did not before, and of
 * tenants that it does not have, or has without any staff, nothing is known. @returns who is different in `old` now.
 */
async function takeStaffOver(old: Snapshot, next: Snapshot): Promise<FeedKey[]> {
  const fresh = next.keys('device_user');
  const { changed } = await old.put(fresh.filter((key) => old.row(key)).flatMap((key) => next.row(key) ?? []));
  const present = new Set(fresh.map(textOf));
  const told = new Set(fresh.map(({ tenantId }) => tenantId));
  const gone = old.stored(old.keys('device_user').filter((key) => told.has(key.tenantId) && !present.has(textOf(key))));
  if (gone.length > 0) await old.remove(gone);
  await old.environment.flushed;
  return [...changed, ...gone];
}

/** Removals that wait for an operator go on waiting: their records move over, unless the source has them again. */
async function keepHeld(old: Snapshot, next: Snapshot): Promise<void> {
  for (const tenantId of old.tallies().keys()) {
    for (const held of old.held(tenantId)) {
      const stored = old.row(held);
      const fresh = next.row(held);
      if (!stored || (held.gone && fresh)) continue;
      if (stored.kind !== 'subscription') await next.put([stored]);
      else {
        const { credentials } = stored;
        const waiting = credentials.filter(
          (credential) =>
            held.names.some(sameName(credential)) &&
            !next.environment.doesExist(credentialKey(tenantId, credential.realm, credential.userName)),
        );
        const base = fresh?.kind === 'subscription' ? fresh : { ...stored, credentials: [] };
        await next.put([{ ...base, credentials: [...base.credentials, ...waiting] }]);
      }
      await next.setHeld([held], []);
    }
  }
}

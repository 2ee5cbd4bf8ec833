// What was claimed as work of the reconciler: entries of one subscription together, and nothing that one of them said is forgotten.
import { type EnforceEntry, memberOf } from '#policy/ledger/enforcement.ts';
import type { ClaimedWork, Owned } from './partitions.ts';
import type { Work } from './reconciler.ts';

/** Work of one partition, entries of one subscription together. */
export type Item = Work & { readonly entries: readonly EnforceEntry[] };

export function itemsOf({ owned, claim }: ClaimedWork): Item[] {
  const items = new Map<string, Item>();
  for (const who of claim.due) {
    items.set(memberOf(who), { who, owned, cause: 'wheel', claimedMs: claim.dueUntilMs, entries: [] });
  }
  for (const entry of claim.entries) {
    const key = memberOf(entry);
    items.set(key, { ...itemOf(entry, owned), ...merged(items.get(key), entry) });
  }
  return [...items.values()];
}

function itemOf(entry: EnforceEntry, owned: Owned): Item {
  const { tenantId, subscriptionId, kind, atMs } = entry;
  const crossed = kind === 'crossed' ? { crossedAtMs: atMs } : {};
  const sign = kind === 'opened' ? { opened: true } : kind === 'probe' ? { probe: true } : {};
  return {
    who: { tenantId, subscriptionId },
    owned,
    cause: kind,
    entries: [entry],
    ...crossed,
    ...sign,
  };
}

/** What an earlier entry of the same subscription said and must not be forgotten. */
function merged(before: Item | undefined, entry: EnforceEntry): Partial<Item> {
  if (!before) return {};
  return {
    entries: [...before.entries, entry],
    ...(before.opened ? { opened: true } : {}),
    ...(before.probe ? { probe: true } : {}),
    ...(before.claimedMs === undefined ? {} : { claimedMs: before.claimedMs }),
    ...(before.crossedAtMs === undefined ? {} : { crossedAtMs: before.crossedAtMs, cause: 'crossed' as const }),
  };
}

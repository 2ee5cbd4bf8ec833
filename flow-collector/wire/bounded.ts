// A map of bounded size that gives up its least valuable entry: first those that never proved useful, then the least recently used.

export const tier = {
  /** Announced by somebody, not yet useful: what a flood of forged datagrams fills. */
  fresh: 0,
  /** Has decoded data. */
  proven: 1,
  /** The operator knows it. */
  known: 2,
} as const;
export type Tier = (typeof tier)[keyof typeof tier];

export type Evictable<K> = { readonly key: K; tier: Tier; touched: boolean };

export type Bounded<K, V extends Evictable<K>> = {
  readonly size: number;
  /** Marks the entry as used. */
  get(key: K): V | undefined;
  /** Adds an entry with a new key; an entry is given up first when there is no room. */
  add(value: V): void;
  delete(value: V): void;
  promote(value: V, to: Tier): void;
  /** Gives up one entry other than `keep`, from the lowest tier that has one; false when there is none. */
  evict(keep?: V): boolean;
  values(): Iterable<V>;
};

/** The part of the room that newcomers keep for themselves, so that a full map still takes a new exporter in: one of `reserve`. */
const reserve = 8;

/** Second chance within a tier (the clock algorithm): a use costs one store, an eviction is O(1) amortized. */
export function createBounded<K, V extends Evictable<K>>(limit: number, onEvict: (value: V) => void): Bounded<K, V> {
  const entries = new Map<K, V>();
  const tiers: readonly Set<V>[] = [new Set(), new Set(), new Set()];
  const [fresh] = tiers as readonly [Set<V>];

  function remove(value: V): void {
    entries.delete(value.key);
    tiers[value.tier]?.delete(value);
  }

  /** Gives up the first entry that was not used since it was last passed over. */
  function evictFrom(queue: Set<V>, keep: V | undefined): boolean {
    for (let round = queue.size * 2; round > 0; round--) {
      const [value] = queue;
      if (value === undefined) return false;
      if (value !== keep && !value.touched) {
        remove(value);
        onEvict(value);
        return true;
      }
      value.touched = false;
      queue.delete(value);
      queue.add(value);
    }
    return false;
  }

  function evict(keep?: V): boolean {
    return tiers.some((queue) => evictFrom(queue, keep));
  }

  function makeRoom(): void {
    if (fresh.size < limit / reserve) for (const queue of tiers.slice(1)) if (evictFrom(queue, undefined)) return;
    evict();
  }

  return {
    get size() {
      return entries.size;
    },
    get(key) {
      const value = entries.get(key);
      if (value !== undefined) value.touched = true;
      return value;
    },
    add(value) {
      if (entries.size >= limit) makeRoom();
      entries.set(value.key, value);
      tiers[value.tier]?.add(value);
    },
    delete: remove,
    promote(value, to) {
      if (to <= value.tier) return;
      tiers[value.tier]?.delete(value);
      value.tier = to;
      tiers[to]?.add(value);
    },
    evict,
    values: () => entries.values(),
  };
}

// The bytes of subscriptions since the last cut, by quarter of an hour of the flow's end: open addressing in typed arrays.

export const quarterMs = 900_000;

export type UsageEntry = {
  readonly tenantId: number;
  readonly subscriptionId: number;
  readonly slotFromMs: number;
  readonly upBytes: number;
  readonly downBytes: number;
};

export type Tally = {
  /** `quarter`: whole quarters of an hour since 1970. False: full, nothing was added. */
  add(
    tenantId: number,
    subscriptionId: number,
    partition: number,
    quarter: number,
    upBytes: number,
    downBytes: number,
  ): boolean;
  /** Everything by partition; the tally is empty then. */
  take(): Map<number, UsageEntry[]>;
  size(): number;
};

export function createTally(mostEntries = 262_144): Tally {
  const capacity = 2 ** Math.ceil(Math.log2(mostEntries * 2));
  const mask = capacity - 1;
  const tenants = new Float64Array(capacity);
  const subscriptions = new Float64Array(capacity);
  /** 0: the place is empty. */
  const quarters = new Uint32Array(capacity);
  const partitions = new Uint8Array(capacity);
  const up = new Float64Array(capacity);
  const down = new Float64Array(capacity);
  /** Places in the order in which they were taken. */
  const taken = new Int32Array(mostEntries);
  let size = 0;

  return {
    add(tenantId, subscriptionId, partition, quarter, upBytes, downBytes) {
      let hash = Math.imul(
        subscriptionId ^ Math.imul(tenantId, 0x85ebca6b) ^ Math.imul(quarter, 0xc2b2ae35),
        0x9e3779b1,
      );
      hash ^= hash >>> 15;
      let place = hash & mask;
      for (;;) {
        if (quarters[place] === 0) {
          if (size === mostEntries) return false;
          taken[size++] = place;
          tenants[place] = tenantId;
          subscriptions[place] = subscriptionId;
          quarters[place] = quarter;
          partitions[place] = partition;
          up[place] = upBytes;
          down[place] = downBytes;
          return true;
        }
        if (quarters[place] === quarter && subscriptions[place] === subscriptionId && tenants[place] === tenantId) {
          up[place] = (up[place] as number) + upBytes;
          down[place] = (down[place] as number) + downBytes;
          return true;
        }
        place = (place + 1) & mask;
      }
    },
    take() {
      const entries = new Map<number, UsageEntry[]>();
      for (let i = 0; i < size; i++) {
        const place = taken[i] as number;
        const partition = partitions[place] as number;
        const list = entries.get(partition) ?? [];
        entries.set(partition, list);
        list.push({
          tenantId: tenants[place] as number,
          subscriptionId: subscriptions[place] as number,
          slotFromMs: (quarters[place] as number) * quarterMs,
          upBytes: up[place] as number,
          downBytes: down[place] as number,
        });
        quarters[place] = 0;
      }
      size = 0;
      return entries;
    },
    size: () => size,
  };
}

// Which subscription held an address at an instant: the intervals of all addresses in typed arrays, for lookups per flow.
import { createChains } from './chains.ts';

/** From `fromMs` on, until before `toMs`, the subscription held every address of the prefix. */
export type AddressInterval = {
  readonly tenantId: number;
  readonly subscriptionId: number;
  /** Of the subscription in the ledger. */
  readonly partition: number;
  /** The incarnation of the session; below 2^53. */
  readonly holder: number;
  /** One word for IPv4, four for IPv6, most significant first; bits behind `length` are 0. */
  readonly words: readonly number[];
  /** Bits of the prefix: 32 for an IPv4 address. */
  readonly length: number;
  readonly fromMs: number;
  /** Infinity while the session is open. */
  readonly toMs: number;
};

export type AddressIndex = {
  /** A small number for the tenant, to ask with. */
  tenant(tenantId: number): number;
  /** Adds the interval, or changes the end of the one with the same holder and beginning. An end ends whatever the holder has open at that address. False: there is no room. */
  put(interval: AddressInterval): boolean;
  /** The interval that holds the address at `atMs`, −1 when none does. */
  find4(tenant: number, address: number, atMs: number): number;
  /** The longest prefix decides; the address is `words[at … at + 3]`. */
  find6(tenant: number, words: ArrayLike<number>, at: number, atMs: number): number;
  subscriptionId(interval: number): number;
  partition(interval: number): number;
  /** Forgets intervals that ended before the instant. */
  expire(beforeMs: number): void;
  /** Intervals. */
  size(): number;
};

/**
 * RFC 2869's Event-Timestamp has whole seconds, and the clocks of access server and exporter differ a little: so long before its beginning
 * and behind its end an interval still holds the address, when no other does.
 */
const edgeMs = 2000;
/** Of one address: sessions that come and go on it faster than the history ends lose their oldest intervals. */
const longestChain = 64;
const firstCapacity = 1024;

export function createAddressIndex(mostIntervals = 4_000_000): AddressIndex {
  const tenants = new Map<number, number>();
  /** Key: tenant, address. */
  const chains4 = createChains(2);
  /** Key: tenant, length, four words. */
  const chains6 = createChains(6);
  const hasLength = new Uint8Array(129);
  /** Lengths of IPv6 prefixes there are, longest first. */
  let lengths: number[] = [];

  let capacity = firstCapacity;
  let from = new Float64Array(capacity);
  let to = new Float64Array(capacity);
  let holders = new Float64Array(capacity);
  let subscriptions = new Float64Array(capacity);
  let partitions = new Uint8Array(capacity);
  let next = new Int32Array(capacity);
  /** Head of the list of free places. */
  let free = -1;
  let end = 0;
  let count = 0;

  function place(): number {
    if (free >= 0) {
      const taken = free;
      free = next[taken] as number;
      return taken;
    }
    if (end === capacity) grow();
    return end++;
  }

  function grow(): void {
    capacity *= 2;
    const wider = (old: Float64Array<ArrayBuffer>) => {
      const array = new Float64Array(capacity);
      array.set(old);
      return array;
    };
    from = wider(from);
    to = wider(to);
    holders = wider(holders);
    subscriptions = wider(subscriptions);
    const morePartitions = new Uint8Array(capacity);
    morePartitions.set(partitions);
    partitions = morePartitions;
    const moreNext = new Int32Array(capacity);
    moreNext.set(next);
    next = moreNext;
  }

  function release(interval: number): void {
    next[interval] = free;
    free = interval;
    count--;
  }

  /** The chain without what `drop` says; its new head. */
  function filtered(head: number, drop: (interval: number) => boolean): number {
    let first = -1;
    let last = -1;
    for (let at = head; at >= 0; ) {
      const following = next[at] as number;
      if (drop(at)) release(at);
      else {
        if (last < 0) first = at;
        else next[last] = at;
        last = at;
      }
      at = following;
    }
    if (last >= 0) next[last] = -1;
    return first;
  }

  function withoutEarliest(head: number): number {
    let earliest = head;
    for (let at = head; at >= 0; at = next[at] as number) {
      if ((to[at] as number) <= (to[earliest] as number)) earliest = at;
    }
    return filtered(head, (at) => at === earliest);
  }

  /** The newest interval that covers the instant, else the one whose edge is nearest. */
  function covering(head: number, atMs: number): number {
    let found = -1;
    let foundFrom = Number.NEGATIVE_INFINITY;
    let near = -1;
    let nearest = edgeMs;
    for (let at = head; at >= 0; at = next[at] as number) {
      const begin = from[at] as number;
      const distance = begin > atMs ? begin - atMs : atMs - (to[at] as number);
      if (distance < 0 || (distance === 0 && begin === atMs)) {
        if (begin >= foundFrom) {
          found = at;
          foundFrom = begin;
        }
      } else if (distance <= nearest) {
        near = at;
        nearest = distance;
      }
    }
    return found >= 0 ? found : near;
  }

  function tenant(tenantId: number): number {
    const known = tenants.get(tenantId);
    if (known !== undefined) return known;
    tenants.set(tenantId, tenants.size);
    return tenants.size - 1;
  }

  function chainsOf({ tenantId, words, length }: AddressInterval) {
    const chains = words.length === 1 ? chains4 : chains6;
    chains.key[0] = tenant(tenantId);
    if (chains === chains4) chains.key[1] = words[0] as number;
    else {
      chains.key[1] = length;
      chains.key.set(words, 2);
    }
    return chains;
  }

  function noteLength(length: number): void {
    hasLength[length] = 1;
    lengths = [...hasLength.keys()].filter((one) => hasLength[one] === 1).reverse();
  }

  return {
    tenant,
    put(interval) {
      const chains = chainsOf(interval);
      const head = chains.head();
      let known = -1;
      let links = 0;
      for (let at = head; at >= 0; at = next[at] as number) {
        links++;
        if (holders[at] !== interval.holder) continue;
        if (from[at] === interval.fromMs) known = at;
        else if (to[at] === Number.POSITIVE_INFINITY && interval.toMs < Number.POSITIVE_INFINITY) {
          to[at] = Math.max(from[at] as number, interval.toMs);
        }
      }
      if (known < 0) {
        if (count >= mostIntervals) return false;
        known = place();
        count++;
        next[known] = links < longestChain ? head : withoutEarliest(head);
        chains.setHead(known);
        if (chains === chains6 && hasLength[interval.length] === 0) noteLength(interval.length);
      }
      from[known] = interval.fromMs;
      to[known] = interval.toMs;
      holders[known] = interval.holder;
      subscriptions[known] = interval.subscriptionId;
      partitions[known] = interval.partition;
      return true;
    },
    find4(tenant, address, atMs) {
      const { key } = chains4;
      key[0] = tenant;
      key[1] = address;
      const head = chains4.head();
      return head < 0 ? -1 : covering(head, atMs);
    },
    find6(tenant, words, at, atMs) {
      const { key } = chains6;
      key[0] = tenant;
      for (let i = 0; i < lengths.length; i++) {
        const length = lengths[i] as number;
        key[1] = length;
        for (let word = 0; word < 4; word++) {
          const bits = length - 32 * word;
          const mask = bits >= 32 ? 0xffffffff : bits <= 0 ? 0 : (0xffffffff << (32 - bits)) >>> 0;
          key[2 + word] = (words[at + word] as number) & mask;
        }
        const head = chains6.head();
        const found = head < 0 ? -1 : covering(head, atMs);
        if (found >= 0) return found;
      }
      return -1;
    },
    subscriptionId: (interval) => subscriptions[interval] as number,
    partition: (interval) => partitions[interval] as number,
    expire(beforeMs) {
      const gone = (interval: number) => (to[interval] as number) < beforeMs;
      for (const chains of [chains4, chains6]) chains.rebuild((head) => filtered(head, gone));
    },
    size: () => count,
  };
}

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
  /** The longest prefix decides; the address is `words[start … start + 3]`. */
  find6(tenant: number, words: ArrayLike<number>, start: number, atMs: number): number;
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
/** Doubles of an interval: eight, a cache line. What it holds lies at these places behind its beginning. */
const stride = 8;
const at = { from: 0, to: 1, holder: 2, subscription: 3, partition: 4, next: 5 } as const;

/** An interval is named by where its doubles begin. */
export function createAddressIndex(mostIntervals = 4_000_000): AddressIndex {
  const tenants = new Map<number, number>();
  /** Key: tenant, address. */
  const chains4 = createChains(2);
  /** Key: tenant, length, four words. */
  const chains6 = createChains(6);
  const hasLength = new Uint8Array(129);
  /** Lengths of IPv6 prefixes there are, longest first. */
  let lengths: number[] = [];

  let cells = new Float64Array(firstCapacity * stride);
  /** Head of the list of free places. */
  let free = -1;
  let end = 0;
  let count = 0;

  const of = (interval: number, what: number) => cells[interval + what] as number;

  function place(): number {
    if (free >= 0) {
      const taken = free;
      free = of(taken, at.next);
      return taken;
    }
    if (end === cells.length) {
      const more = new Float64Array(2 * cells.length);
      more.set(cells);
      cells = more;
    }
    end += stride;
    return end - stride;
  }

  function release(interval: number): void {
    cells[interval + at.next] = free;
    free = interval;
    count--;
  }

  /** The chain without what `drop` says; its new head. */
  function filtered(head: number, drop: (interval: number) => boolean): number {
    let first = -1;
    let last = -1;
    for (let one = head; one >= 0; ) {
      const following = of(one, at.next);
      if (drop(one)) release(one);
      else {
        if (last < 0) first = one;
        else cells[last + at.next] = one;
        last = one;
      }
      one = following;
    }
    if (last >= 0) cells[last + at.next] = -1;
    return first;
  }

  function withoutEarliest(head: number): number {
    let earliest = head;
    for (let one = head; one >= 0; one = of(one, at.next)) if (of(one, at.to) <= of(earliest, at.to)) earliest = one;
    return filtered(head, (one) => one === earliest);
  }

  /** The newest interval that covers the instant, else the one whose edge is nearest. */
  function covering(head: number, atMs: number): number {
    let found = -1;
    let foundFrom = Number.NEGATIVE_INFINITY;
    let near = -1;
    let nearest = edgeMs;
    for (let one = head; one >= 0; one = of(one, at.next)) {
      const begin = of(one, at.from);
      const distance = begin > atMs ? begin - atMs : atMs - of(one, at.to);
      if (distance < 0 || (distance === 0 && begin === atMs)) {
        if (begin >= foundFrom) {
          found = one;
          foundFrom = begin;
        }
      } else if (distance <= nearest) {
        near = one;
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
      const { holder, fromMs, toMs } = interval;
      const head = chains.head();
      let known = -1;
      let links = 0;
      for (let one = head; one >= 0; one = of(one, at.next)) {
        links++;
        if (of(one, at.holder) !== holder) continue;
        if (of(one, at.from) === fromMs) known = one;
        else if (of(one, at.to) === Number.POSITIVE_INFINITY && toMs < Number.POSITIVE_INFINITY) {
          cells[one + at.to] = Math.max(of(one, at.from), toMs);
        }
      }
      if (known < 0) {
        if (count >= mostIntervals) return false;
        known = place();
        count++;
        cells[known + at.next] = links < longestChain ? head : withoutEarliest(head);
        chains.setHead(known);
        if (chains === chains6 && hasLength[interval.length] === 0) noteLength(interval.length);
      }
      cells[known + at.from] = fromMs;
      cells[known + at.to] = toMs;
      cells[known + at.holder] = holder;
      cells[known + at.subscription] = interval.subscriptionId;
      cells[known + at.partition] = interval.partition;
      return true;
    },
    find4(tenant, address, atMs) {
      const head = chains4.headOf(tenant, address);
      if (head < 0) return -1;
      // Mostly the address was never anybody else's.
      const isAlone = of(head, at.next) === -1 && of(head, at.from) <= atMs && atMs < of(head, at.to);
      return isAlone ? head : covering(head, atMs);
    },
    find6(tenant, words, start, atMs) {
      const { key } = chains6;
      key[0] = tenant;
      for (let i = 0; i < lengths.length; i++) {
        const length = lengths[i] as number;
        key[1] = length;
        for (let word = 0; word < 4; word++) {
          const bits = length - 32 * word;
          const mask = bits >= 32 ? 0xffffffff : bits <= 0 ? 0 : (0xffffffff << (32 - bits)) >>> 0;
          key[2 + word] = (words[start + word] as number) & mask;
        }
        const head = chains6.head();
        const found = head < 0 ? -1 : covering(head, atMs);
        if (found >= 0) return found;
      }
      return -1;
    },
    subscriptionId: (interval) => of(interval, at.subscription),
    partition: (interval) => of(interval, at.partition),
    expire(beforeMs) {
      const gone = (interval: number) => of(interval, at.to) < beforeMs;
      for (const chains of [chains4, chains6]) chains.rebuild((head) => filtered(head, gone));
    },
    size: () => count,
  };
}

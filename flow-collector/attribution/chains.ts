// A hash table in one typed array: fixed-width keys of 32-bit words, each with the head of a chain. Open addressing, no object per entry.

export type Chains = {
  /** Words of the key that the next call is about; the caller fills them. */
  readonly key: Uint32Array;
  /** Head of the key's chain, −1 without one. */
  head(): number;
  /** The same for a key of two words, which are given: the way of every IPv4 flow. */
  headOf(first: number, second: number): number;
  /** Sets the head of the key's chain, which may be new; −1 empties it. */
  setHead(head: number): void;
  /** Hands every head to `change` and keeps what it answers; −1 removes the key. */
  rebuild(change: (head: number) => number): void;
};

const firstCapacity = 1024;
/** What stands in a cell instead of a head; heads are stored from 2 on. */
const mark = { neverUsed: 0, chainGone: 1, heads: 2 } as const;

export function createChains(keyWords: number): Chains {
  const key = new Uint32Array(keyWords);
  /** Words of a cell: the head, then the key; a power of two, so that no cell lies across two cache lines. */
  const stride = 2 ** Math.ceil(Math.log2(keyWords + 1));
  let capacity = firstCapacity;
  let mask = capacity - 1;
  let cells = new Uint32Array(capacity * stride);
  let used = 0;

  /** Where the key's cell begins, or the unused one where it would lie. */
  function cellOf(): number {
    let hash = 0;
    for (let i = 0; i < keyWords; i++) {
      hash = Math.imul(hash ^ (key[i] as number), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const cell = place * stride;
      if (cells[cell] === mark.neverUsed) return cell;
      let i = 0;
      while (i < keyWords && cells[cell + 1 + i] === key[i]) i++;
      if (i === keyWords) return cell;
    }
  }

  function headIn(cell: number): number {
    const stored = cells[cell] as number;
    return stored < mark.heads ? -1 : stored - mark.heads;
  }

  function insert(head: number): void {
    const cell = cellOf();
    if (cells[cell] === mark.neverUsed) {
      if (head < 0) return;
      cells.set(key, cell + 1);
      used++;
    }
    cells[cell] = head < 0 ? mark.chainGone : head + mark.heads;
  }

  function rebuild(change: (head: number) => number): void {
    const old = cells;
    const kept: number[] = [];
    for (let cell = 0; cell < old.length; cell += stride) {
      const head = headIn(cell);
      const changed = head < 0 ? -1 : change(head);
      old[cell] = changed < 0 ? mark.chainGone : changed + mark.heads;
      if (changed >= 0) kept.push(cell);
    }
    capacity = firstCapacity;
    // At most half full after twice as many keys more.
    while (capacity < kept.length * 4) capacity *= 2;
    mask = capacity - 1;
    cells = new Uint32Array(capacity * stride);
    used = 0;
    const wanted = key.slice();
    for (const cell of kept) {
      key.set(old.subarray(cell + 1, cell + 1 + keyWords));
      insert((old[cell] as number) - mark.heads);
    }
    key.set(wanted);
  }

  return {
    key,
    head: () => headIn(cellOf()),
    headOf(first, second) {
      let hash = Math.imul(first, 0x9e3779b1);
      hash = Math.imul(hash ^ (hash >>> 15) ^ second, 0x9e3779b1);
      for (let place = (hash ^ (hash >>> 15)) & mask; ; place = (place + 1) & mask) {
        const cell = place * stride;
        const stored = cells[cell] as number;
        if (stored === mark.neverUsed) return -1;
        if (cells[cell + 2] === second && cells[cell + 1] === first) return stored - mark.heads;
      }
    },
    setHead(head) {
      if ((used + 1) * 2 > capacity) rebuild((one) => one);
      insert(head);
    },
    rebuild,
  };
}

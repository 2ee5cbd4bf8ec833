// A hash table in typed arrays: fixed-width keys of 32-bit words, each with the head of a chain. Open addressing, no object per entry.

export type Chains = {
  /** Words of the key that the next call is about; the caller fills them. */
  readonly key: Uint32Array;
  /** Head of the key's chain, −1 without one. */
  head(): number;
  /** Sets the head of the key's chain, which may be new; −1 empties it. */
  setHead(head: number): void;
  /** Hands every head to `change` and keeps what it answers; −1 removes the key. */
  rebuild(change: (head: number) => number): void;
  /** Keys with a chain. */
  size(): number;
};

const firstCapacity = 1024;
const empty = -2;

export function createChains(keyWords: number): Chains {
  const key = new Uint32Array(keyWords);
  let capacity = firstCapacity;
  let mask = capacity - 1;
  let keys = new Uint32Array(capacity * keyWords);
  /** `empty`: never used. −1: its chain is gone, the key stays until the next rebuild. */
  let heads = new Int32Array(capacity).fill(empty);
  let used = 0;
  let full = 0;

  /** The place of the key, or the empty one where it would lie. */
  function placeOf(): number {
    let hash = 0;
    for (let i = 0; i < keyWords; i++) {
      hash = Math.imul(hash ^ (key[i] as number), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    let place = hash & mask;
    for (;;) {
      if (heads[place] === empty) return place;
      const at = place * keyWords;
      let i = 0;
      while (i < keyWords && keys[at + i] === key[i]) i++;
      if (i === keyWords) return place;
      place = (place + 1) & mask;
    }
  }

  function insert(head: number): void {
    const place = placeOf();
    const before = heads[place] as number;
    if (before === empty) {
      if (head < 0) return;
      keys.set(key, place * keyWords);
      used++;
    }
    full += Number(head >= 0) - Number(before >= 0);
    heads[place] = head < 0 ? -1 : head;
  }

  function rebuild(change: (head: number) => number): void {
    const oldKeys = keys;
    const oldHeads = heads;
    const kept = new Int32Array(capacity);
    let count = 0;
    for (let place = 0; place < capacity; place++) {
      const head = oldHeads[place] as number;
      kept[place] = head < 0 ? -1 : change(head);
      if ((kept[place] as number) >= 0) count++;
    }
    const old = capacity;
    capacity = firstCapacity;
    // At most half full after twice as many keys more.
    while (capacity < count * 4) capacity *= 2;
    mask = capacity - 1;
    keys = new Uint32Array(capacity * keyWords);
    heads = new Int32Array(capacity).fill(empty);
    used = 0;
    full = 0;
    const wanted = key.slice();
    for (let place = 0; place < old; place++) {
      if ((kept[place] as number) < 0) continue;
      key.set(oldKeys.subarray(place * keyWords, (place + 1) * keyWords));
      insert(kept[place] as number);
    }
    key.set(wanted);
  }

  return {
    key,
    head() {
      const head = heads[placeOf()] as number;
      return head < 0 ? -1 : head;
    },
    setHead(head) {
      if ((used + 1) * 2 > capacity) rebuild((one) => one);
      insert(head);
    },
    rebuild,
    size: () => full,
  };
}

// Which records were written since when, in memory that the threads share: who keeps what it read can tell whether it still stands.

export type Changes = {
  /** Before these keys are written with this version, by the only thread that writes. */
  mark(keys: readonly Uint8Array[], version: number): void;
  /** The same before anything may change. */
  markAll(version: number): void;
  /** Where a key is marked; another key may have the same place, and so has the same id of another kind. */
  placeOf(key: Uint8Array): number;
  /** Whether what was read at this place, of records that had this version then, is what is written there now. */
  stands(place: number, version: number): boolean;
  /** The version written last by a thread of this process. */
  last(): number;
};

const places = 65_536;
/** In front of the places: the version written last, and that of the last change of everything. */
const [lastAt, allAt, firstAt] = [0, 1, 2];
const length = firstAt + places;
/** A key is tenant (4 octets), kind, id or text (keys.ts). */
const kindAt = 4;

export function createChangesBuffer(): SharedArrayBuffer {
  return new SharedArrayBuffer(length * Float64Array.BYTES_PER_ELEMENT);
}

/** Doubles, written by one thread only; a reader sees each of them whole. */
export function createChanges(buffer: SharedArrayBuffer = createChangesBuffer()): Changes {
  const versions = new Float64Array(buffer);

  function placeOf(key: Uint8Array): number {
    let hash = 0x811c9dc5;
    for (let i = 0; i < key.length; i++) if (i !== kindAt) hash = Math.imul(hash ^ (key[i] as number), 0x01000193);
    return firstAt + ((hash ^ (hash >>> 16)) & (places - 1));
  }

  return {
    placeOf,
    mark(keys, version) {
      versions[lastAt] = version;
      for (const key of keys) versions[placeOf(key)] = version;
    },
    markAll(version) {
      versions[lastAt] = version;
      versions[allAt] = version;
    },
    stands: (place, version) => version >= (versions[place] as number) && version >= (versions[allAt] as number),
    last: () => versions[lastAt] as number,
  };
}

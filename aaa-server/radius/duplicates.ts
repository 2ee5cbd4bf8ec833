// Recognises retransmitted requests (RFC 5080 §2.2.2) in memory that never grows: a ring of requests and a ring of reply octets.
import type { Peer } from '#ops/runtime/udp.ts';

/** Number of an entry; the entry may have been overwritten since, which every function notices. */
export type Entry = number;

export type Duplicates = {
  /** The entry of the same request (source, port, socket, identifier and authenticator), −1 when it is new or forgotten. */
  find(peer: Peer, socket: number, identifier: number, authenticator: Buffer, at: number, nowMs: number): Entry;
  /** Remembers a request as in progress. A former one with another authenticator is superseded. */
  open(peer: Peer, socket: number, identifier: number, authenticator: Buffer, at: number, nowMs: number): Entry;
  /** Keeps the reply of a request. */
  answer(entry: Entry, reply: Buffer, start: number, length: number): void;
  /** Forgets a request that gets no reply: its repetition counts as new. */
  forget(entry: Entry): void;
  /** Where the kept reply lies in `memory`; `length` 0 while the request is in progress or when the reply was overwritten. */
  replyOf(entry: Entry): { readonly start: number; readonly length: number };
  readonly memory: Buffer;
  /** The answered requests that are still recognised, oldest first; a reply is valid until the next call of anything here. */
  answered(nowMs: number): Iterable<AnsweredRequest>;
};

export type AnsweredRequest = {
  readonly peer: Peer;
  readonly socket: number;
  readonly identifier: number;
  readonly authenticator: Buffer;
  readonly ageMs: number;
  readonly reply: Buffer;
};

export type DuplicatesOptions = {
  /** Requests remembered at most, a power of two. */
  requests?: number;
  replyBytes?: number;
  keepMs?: number;
};

const free = 0;
const pending = 1;
const answered = 2;
const nothing = { start: 0, length: 0 } as const;
const authenticatorLength = 16;

export function createDuplicates(options: DuplicatesOptions = {}): Duplicates {
  const { requests = 65_536, replyBytes = 16 * 1024 * 1024, keepMs = 10_000 } = options;
  if (requests < 1 || (requests & (requests - 1)) !== 0)
    throw new Error('the number of requests must be a power of two');
  const mask = requests - 1;
  const memory = Buffer.alloc(replyBytes);
  // Entry e lives in slot e mod requests until entry e + requests overwrites it.
  const entries = new Float64Array(requests).fill(-1);
  const states = new Uint8Array(requests);
  const seenAtMs = new Float64Array(requests);
  const addresses = new Array<string>(requests).fill('');
  const ports = new Uint16Array(requests);
  const sockets = new Uint8Array(requests);
  const identifiers = new Uint8Array(requests);
  const authenticators = Buffer.alloc(requests * authenticatorLength);
  const replyPositions = new Float64Array(requests);
  const replyLengths = new Uint16Array(requests);
  const hashes = new Uint32Array(requests);
  // Chained hash table of slots; −1 ends a chain.
  const heads = new Int32Array(requests * 2).fill(-1);
  const nexts = new Int32Array(requests).fill(-1);
  const bucketMask = heads.length - 1;
  let nextEntry = 0;
  /** Octets ever written to the reply ring; position p lies at p mod replyBytes until p + replyBytes is written. */
  let written = 0;

  function bucketOf(hash: number): number {
    return hash & bucketMask;
  }

  function findSlot(peer: Peer, socket: number, identifier: number, hash: number): number {
    for (let slot = at(heads, bucketOf(hash)); slot >= 0; slot = at(nexts, slot)) {
      if (
        hashes[slot] === hash &&
        identifiers[slot] === identifier &&
        ports[slot] === peer.port &&
        sockets[slot] === socket &&
        addresses[slot] === peer.address
      ) {
        return slot;
      }
    }
    return -1;
  }

  function release(slot: number): void {
    if (states[slot] === free) return;
    states[slot] = free;
    addresses[slot] = '';
    const bucket = bucketOf(at(hashes, slot));
    if (heads[bucket] === slot) {
      heads[bucket] = at(nexts, slot);
      return;
    }
    for (let before = at(heads, bucket); before >= 0; before = at(nexts, before)) {
      if (nexts[before] !== slot) continue;
      nexts[before] = at(nexts, slot);
      return;
    }
  }

  /** Slot of an entry that still exists, else −1. */
  function slotOf(entry: Entry): number {
    const slot = entry & mask;
    return entries[slot] === entry && states[slot] !== free ? slot : -1;
  }

  return {
    memory,
    find(peer, socket, identifier, authenticator, from, nowMs) {
      const slot = findSlot(peer, socket, identifier, hashOf(peer, socket, identifier));
      if (slot < 0 || nowMs - at(seenAtMs, slot) > keepMs) return -1;
      for (let i = 0; i < authenticatorLength; i++) {
        if (authenticators[slot * authenticatorLength + i] !== authenticator[from + i]) return -1;
      }
      // Its reply was overwritten: as good as forgotten.
      if (states[slot] === answered && written - at(replyPositions, slot) > replyBytes) return -1;
      return at(entries, slot);
    },
    open(peer, socket, identifier, authenticator, from, nowMs) {
      const hash = hashOf(peer, socket, identifier);
      const former = findSlot(peer, socket, identifier, hash);
      if (former >= 0) release(former);
      const entry = nextEntry++;
      const slot = entry & mask;
      release(slot);
      entries[slot] = entry;
      states[slot] = pending;
      seenAtMs[slot] = nowMs;
      addresses[slot] = peer.address;
      ports[slot] = peer.port;
      sockets[slot] = socket;
      identifiers[slot] = identifier;
      for (let i = 0; i < authenticatorLength; i++) {
        authenticators[slot * authenticatorLength + i] = authenticator[from + i] as number;
      }
      hashes[slot] = hash;
      nexts[slot] = at(heads, bucketOf(hash));
      heads[bucketOf(hash)] = slot;
      return entry;
    },
    answer(entry, reply, start, length) {
      const slot = slotOf(entry);
      if (slot < 0 || length > replyBytes) return;
      // A reply does not wrap around the end of the ring.
      const offset = written % replyBytes;
      if (offset + length > replyBytes) written += replyBytes - offset;
      reply.copy(memory, written % replyBytes, start, start + length);
      states[slot] = answered;
      replyPositions[slot] = written;
      replyLengths[slot] = length;
      written += length;
    },
    forget(entry) {
      const slot = slotOf(entry);
      if (slot >= 0) release(slot);
    },
    replyOf(entry) {
      const slot = slotOf(entry);
      if (slot < 0 || states[slot] !== answered) return nothing;
      return { start: at(replyPositions, slot) % replyBytes, length: at(replyLengths, slot) };
    },
    *answered(nowMs) {
      for (let entry = Math.max(0, nextEntry - requests); entry < nextEntry; entry++) {
        const slot = slotOf(entry);
        if (slot < 0 || states[slot] !== answered || written - at(replyPositions, slot) > replyBytes) continue;
        const ageMs = nowMs - at(seenAtMs, slot);
        if (ageMs > keepMs) continue;
        const from = at(replyPositions, slot) % replyBytes;
        yield {
          peer: { address: addresses[slot] ?? '', port: ports[slot] ?? 0 },
          socket: sockets[slot] ?? 0,
          identifier: identifiers[slot] ?? 0,
          authenticator: authenticators.subarray(slot * authenticatorLength, (slot + 1) * authenticatorLength),
          ageMs,
          reply: memory.subarray(from, from + at(replyLengths, slot)),
        };
      }
    },
  };
}

// Neighbours in time mostly come from the same address.
let hashedAddress = '';
let addressHash = 0;

/** FNV-1a over what names a request. */
function hashOf(peer: Peer, socket: number, identifier: number): number {
  if (peer.address !== hashedAddress) {
    hashedAddress = peer.address;
    addressHash = 0x811c9dc5;
    for (let i = 0; i < hashedAddress.length; i++) {
      addressHash = Math.imul(addressHash ^ hashedAddress.charCodeAt(i), 0x01000193);
    }
  }
  let hash = Math.imul(addressHash ^ peer.port, 0x01000193);
  hash = Math.imul(hash ^ identifier, 0x01000193);
  hash = Math.imul(hash ^ socket, 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}

function at(array: Float64Array | Int32Array | Uint16Array | Uint32Array, index: number): number {
  return array[index] as number;
}

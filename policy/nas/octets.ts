// Counters as they come in accounting: 32 bits and, maybe, how often they were passed (RFC 2869 §5.1, §5.2).

/** Null: not sent. */
export type WireOctets = { readonly octets: number | null; readonly gigawords: number | null };

const wrap = 2 ** 32;

/** Both counters together. Two that come without gigawords wrap around together, as each of them does. */
export function addOctets(a: WireOctets, b: WireOctets): WireOctets {
  if (b.octets === null) return a;
  if (a.octets === null) return b;
  if (a.gigawords === null && b.gigawords === null) return { octets: (a.octets + b.octets) % wrap, gigawords: null };
  const sum = totalOf(a) + totalOf(b);
  return Number.isSafeInteger(sum) ? octetsOf(sum) : a;
}

/** A counter that counts `unit` bytes as one, in bytes. One beyond 2^53 bytes is no counter of ours: as if it had not been sent. */
export function inBytes(counter: WireOctets, unit: number): WireOctets {
  if (unit === 1 || counter.octets === null) return counter;
  const bytes = totalOf(counter) * unit;
  return Number.isSafeInteger(bytes) ? octetsOf(bytes) : { octets: null, gigawords: null };
}

export function octetsOf(total: number): WireOctets {
  return { octets: total % wrap, gigawords: Math.floor(total / wrap) };
}

function totalOf({ octets, gigawords }: WireOctets): number {
  return (gigawords ?? 0) * wrap + (octets ?? 0);
}

// Random octets from a pool: asking the system for sixteen at a time costs more than the rest of what they are needed for.
import { Buffer } from 'node:buffer';
import { randomFillSync } from 'node:crypto';

/** A function that gives `length` random octets, each once; they are valid until its next call. */
export function createRandomOctets(length: number, perFill = 256): () => Buffer {
  const pool = Buffer.alloc(length * perFill);
  const views = Array.from({ length: perFill }, (_, i) => pool.subarray(i * length, (i + 1) * length));
  let next = perFill;
  return () => {
    if (next === perFill) {
      randomFillSync(pool);
      next = 0;
    }
    return views[next++] as Buffer;
  };
}

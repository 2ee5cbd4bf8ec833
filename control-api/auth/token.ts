// The form in which opaque tokens are stored.
import { createHash } from 'node:crypto';

/** SHA-256 of a token of 256 random bits: nothing slower is needed for what cannot be guessed. */
export function hashOfToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

// Passwords in clear, decrypted when asked for; a bounded cache spares the 6 µs of AES-GCM for those who log in often.
import type { Keyring } from '#ops/runtime/keyring.ts';
import type { CredentialRecord } from '../subscribers/records.ts';

export type Passwords = {
  /** Throws when the ciphertext cannot be decrypted (key missing from LASTMILE_SECRET_KEY, or moved from its place). */
  of(credential: CredentialRecord): Buffer;
};

type Known = { readonly cipher: Buffer; readonly password: Buffer };

/** @param capacity most passwords kept in clear */
export function createPasswords(keyring: Keyring, capacity = 20_000): Passwords {
  // Two halves: when the newer one is full it becomes the older, which is forgotten. A Map that loses its first entry each time would
  // pass over all that it has lost before.
  let newer = new Map<string, Known>();
  let older = new Map<string, Known>();

  function keep(place: string, known: Known): void {
    if (newer.size >= capacity / 2 && !newer.has(place)) {
      older = newer;
      newer = new Map();
    }
    newer.set(place, known);
  }

  return {
    of({ tenantId, realm, userName, passwordCipher }) {
      // A ciphertext copied to another record must fail there, cached or not: its place is what it is found by.
      const place = `${tenantId}:${realm}:${userName}`;
      const recent = newer.get(place);
      if (recent?.cipher.equals(passwordCipher)) return recent.password;
      let known = older.get(place);
      if (!known?.cipher.equals(passwordCipher)) {
        const password = keyring.decrypt('credential', place, passwordCipher);
        // What the record lies in may be used again for the next one.
        known = { cipher: Buffer.from(passwordCipher), password };
      }
      keep(place, known);
      return known.password;
    },
  };
}

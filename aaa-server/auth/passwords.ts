// Passwords in clear, decrypted when asked for; a bounded cache spares the 6 µs of AES-GCM for those who log in often.
import type { Keyring } from '#ops/runtime/keyring.ts';
import type { CredentialRecord } from '../subscribers/records.ts';

export type Passwords = {
  /** Throws when the ciphertext cannot be decrypted (key missing from LASTMILE_SECRET_KEY, or moved from its place). */
  of(credential: CredentialRecord): Buffer;
};

type Known = { readonly cipher: Buffer; readonly password: Buffer };

export function createPasswords(keyring: Keyring, capacity = 20_000): Passwords {
  // Insertion order is the order of use: a hit moves to the end, the first is dropped.
  const cache = new Map<string, Known>();
  return {
    of({ tenantId, realm, userName, passwordCipher }) {
      // A ciphertext copied to another record must fail there, cached or not: its place is what it is found by.
      const place = `${tenantId}:${realm}:${userName}`;
      let known = cache.get(place);
      if (known?.cipher.equals(passwordCipher)) cache.delete(place);
      else {
        const password = keyring.decrypt('credential', place, passwordCipher);
        // What the record lies in may be used again for the next one.
        known = { cipher: Buffer.from(passwordCipher), password };
        if (!cache.delete(place) && cache.size >= capacity) cache.delete(cache.keys().next().value ?? '');
      }
      cache.set(place, known);
      return known.password;
    },
  };
}

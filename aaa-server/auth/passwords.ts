// Passwords in clear, decrypted when asked for; a bounded cache spares the 13 µs of AES-GCM for those who log in often.
import type { Keyring } from '#ops/runtime/keyring.ts';
import type { CredentialRecord } from '../subscribers/records.ts';

export type Passwords = {
  /** Throws when the ciphertext cannot be decrypted (key missing from LASTMILE_SECRET_KEY, or moved from its place). */
  of(credential: CredentialRecord): Buffer;
};

export function createPasswords(keyring: Keyring, capacity = 20_000): Passwords {
  // Insertion order is the order of use: a hit moves to the end, the first is dropped.
  const cache = new Map<string, Buffer>();
  return {
    of({ tenantId, realm, userName, passwordCipher }) {
      const place = `${tenantId}:${realm}:${userName}`;
      // The place belongs to the key: a ciphertext copied to another record must fail there, cached or not.
      const key = `${place}\n${passwordCipher.toString('latin1')}`;
      const known = cache.get(key);
      const password = known ?? keyring.decrypt('credential', place, passwordCipher);
      if (known) cache.delete(key);
      else if (cache.size >= capacity) cache.delete(cache.keys().next().value ?? '');
      cache.set(key, password);
      return password;
    },
  };
}

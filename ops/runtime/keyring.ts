// Encrypts secrets at rest and derives the keys of every purpose from LASTMILE_SECRET_KEY.
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';

/**
 * A list of master secrets: the first encrypts, all decrypt. Ciphertext layout:
 * version (1) | key id (4, SHA-256 of the master) | nonce (12) | tag (16) | AES-256-GCM ciphertext.
 * The associated data ties a ciphertext to its place (purpose, tenant, record), so that it cannot be moved to another row.
 */
export type Keyring = {
  encrypt(purpose: string, place: string, plain: Buffer): Buffer;
  /** Throws when no key of the ring fits or the ciphertext was altered or moved. */
  decrypt(purpose: string, place: string, cipher: Buffer): Buffer;
  /** 32 bytes for a purpose such as 'class' or 'admin-token', from the first master. */
  derive(purpose: string): Buffer;
};

const VERSION = 1;
const HEADER = 1 + 4 + 12 + 16;

export function createKeyring(masters: readonly string[]): Keyring {
  if (masters.length === 0) throw new Error('the key ring is empty');
  const entries = masters.map((master) => ({ master, id: keyId(master), keys: new Map<string, KeyObject>() }));

  /** A KeyObject: with the bare bytes a decryption costs four times as much. */
  function keyOf(entry: (typeof entries)[number], purpose: string): KeyObject {
    let key = entry.keys.get(purpose);
    if (!key) {
      key = createSecretKey(Buffer.from(hkdfSync('sha256', entry.master, 'lastmile', purpose, 32)));
      entry.keys.set(purpose, key);
    }
    return key;
  }
  const [first] = entries;
  if (!first) throw new Error('the key ring is empty');

  return {
    derive: (purpose) => keyOf(first, `derive:${purpose}`).export(),
    encrypt(purpose, place, plain) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', keyOf(first, purpose), nonce);
      cipher.setAAD(Buffer.from(`${purpose}|${place}`));
      const body = Buffer.concat([cipher.update(plain), cipher.final()]);
      return Buffer.concat([Buffer.of(VERSION), first.id, nonce, cipher.getAuthTag(), body]);
    },
    decrypt(purpose, place, data) {
      if (data.length < HEADER || data[0] !== VERSION) throw new Error('not a ciphertext of this version');
      const entry = entries.find(({ id }) => id.equals(data.subarray(1, 5)));
      if (!entry) throw new Error('encrypted with a key that is not in LASTMILE_SECRET_KEY');
      const decipher = createDecipheriv('aes-256-gcm', keyOf(entry, purpose), data.subarray(5, 17));
      decipher.setAAD(Buffer.from(`${purpose}|${place}`));
      decipher.setAuthTag(data.subarray(17, HEADER));
      return Buffer.concat([decipher.update(data.subarray(HEADER)), decipher.final()]);
    },
  };
}

function keyId(master: string): Buffer {
  return createHash('sha256').update(master).digest().subarray(0, 4);
}

// Passwords that were proven before, as keyed fingerprints: neither decrypted nor slowly hashed again, and never kept in clear.
import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import type { CredentialRecord } from '../subscribers/records.ts';
import { addMd5, beginHmacMd5, digestLength, finishHmacMd5, hmacStates } from '../wire/md5.ts';

/** Whose secret it is, and the secret as it is stored. */
export type Stored = Pick<CredentialRecord, 'tenantId' | 'realm' | 'userName' | 'scheme' | 'passwordCipher'>;

export type Proven = {
  /** Whether `offered` was remembered for this very stored secret at this very place. */
  has(stored: Stored, offered: Uint8Array): boolean;
  /** To be called after the password was proven the long way. An older proof may make room. */
  remember(stored: Stored, offered: Uint8Array): void;
};

const words = digestLength / 4;
/** Behind the tenant and four lengths. */
const textsAt = 16;
/** A fingerprint may lie in any of so many places beside each other: two cache lines. */
const ways = 8;

/** What the workers of a process share: what one of them has proven, the others need not. */
export type ProvenPlaces = { readonly memory: SharedArrayBuffer; readonly key: Uint8Array };

/** @param capacity a power of two, of 16 bytes each; filled to more than half, fingerprints begin to displace others */
export function createProvenPlaces(
  capacity = 524_288,
  key: Uint8Array = new Uint8Array(randomBytes(digestLength)),
): ProvenPlaces {
  if (capacity < ways || (capacity & (capacity - 1)) !== 0) throw new Error('the capacity must be a power of two');
  return { memory: new SharedArrayBuffer(capacity * digestLength), key };
}

/**
 * A fingerprint is HMAC-MD5 under a key that only this process knows: what is found with it cannot be steered from outside, and memory
 * tells no password. A changed ciphertext or a moved one is another fingerprint, so nothing has to be invalidated. One that two workers
 * write at the same moment, or that is read half written, is nobody's.
 */
export function createProven({ memory, key }: ProvenPlaces): Proven {
  const states = hmacStates(Buffer.from(key));
  const table = new Uint32Array(memory);
  const sets = memory.byteLength / digestLength / ways;
  const digest = Buffer.alloc(digestLength);
  const fingerprint = new Uint32Array(words);
  const head = Buffer.alloc(2048);
  let turn = 0;

  /** The lengths come first, so no two offers give the same octets. */
  function compute({ tenantId, realm, userName, scheme, passwordCipher }: Stored, offered: Uint8Array): void {
    const realmEnd = textsAt + writeText(head, realm, textsAt);
    const nameEnd = realmEnd + writeText(head, userName, realmEnd);
    const end = nameEnd + writeText(head, scheme, nameEnd);
    head.writeDoubleLE(tenantId, 0);
    head.writeUInt16LE(realmEnd, 8);
    head.writeUInt16LE(nameEnd, 10);
    head.writeUInt16LE(end, 12);
    head.writeUInt16LE(passwordCipher.length, 14);
    beginHmacMd5(states);
    addMd5(head, 0, end);
    addMd5(passwordCipher, 0, passwordCipher.length);
    addMd5(offered, 0, offered.length);
    finishHmacMd5(states, digest, 0);
    for (let i = 0; i < words; i++) fingerprint[i] = digest.readUInt32LE(4 * i);
    // All zero means an empty place.
    if (((fingerprint[0] as number) | (fingerprint[1] as number)) === 0) fingerprint[0] = 1;
  }

  const setAt = () => ((fingerprint[3] as number) & (sets - 1)) * ways * words;

  /** Offset of the fingerprint in the table, −1 when it is not there. */
  function find(): number {
    const set = setAt();
    for (let at = set; at < set + ways * words; at += words) {
      if (
        table[at] === fingerprint[0] &&
        table[at + 1] === fingerprint[1] &&
        table[at + 2] === fingerprint[2] &&
        table[at + 3] === fingerprint[3]
      ) {
        return at;
      }
    }
    return -1;
  }

  return {
    has(stored, offered) {
      compute(stored, offered);
      return find() >= 0;
    },
    remember(stored, offered) {
      compute(stored, offered);
      if (find() >= 0) return;
      const set = setAt();
      let at = set + (turn++ % ways) * words;
      for (let free = set; free < set + ways * words; free += words) {
        if (table[free] === 0 && table[free + 1] === 0) at = free;
      }
      table.set(fingerprint, at);
    },
  };
}

/** Writes `text` in UTF-8 and answers how many octets it took. Short names of ASCII, which most are, need no call out of JavaScript. */
function writeText(target: Buffer, text: string, at: number): number {
  if (text.length > 64) return target.write(text, at);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) return target.write(text, at);
    target[at + i] = unit;
  }
  return text.length;
}

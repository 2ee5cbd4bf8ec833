// The Class attribute of a login (RFC 2865 §5.25): finds the partition of a session and proves whose it is.
import { hash, timingSafeEqual } from 'node:crypto';
import { partitionCount } from '#policy/ledger/types.ts';

// version (1) | partition (1) | subscription id (6) | uuid (16) | hash of the login's outcome (4) | HMAC-SHA256, cut (8)
const version = 1;
const signedLength = 28;
const macLength = 8;
export const classLength = signedLength + macLength;

export type ClassContent = {
  readonly tenantId: number;
  readonly partition: number;
  readonly subscriptionId: number;
  /** 32 hex digits, new with every login. */
  readonly uuid: string;
  /** 8 hex digits, see {@link outcomeHash}. */
  readonly outcomeHash: string;
};

/** What Class tells of the outcome a login answered; `text` is that of `formatOutcome`. */
export function outcomeHash(text: string): string {
  return hash('sha256', text).slice(0, 8);
}

/** @param key `keyring.derive('class')` */
export function makeClass(key: Buffer, content: ClassContent): Buffer {
  const bytes = Buffer.alloc(classLength);
  bytes[0] = version;
  bytes[1] = content.partition;
  bytes.writeUIntBE(content.subscriptionId, 2, 6);
  bytes.write(content.uuid, 8, 16, 'hex');
  bytes.write(content.outcomeHash, 24, 4, 'hex');
  mac(key, content.tenantId, bytes).copy(bytes, signedLength);
  return bytes;
}

/** What a Class of ours says; undefined for any other, altered or made for another tenant. */
export function verifyClass(key: Buffer, tenantId: number, bytes: Buffer): ClassContent | undefined {
  const partition = bytes[1];
  if (bytes.length !== classLength || bytes[0] !== version) return undefined;
  if (partition === undefined || partition >= partitionCount) return undefined;
  if (!timingSafeEqual(mac(key, tenantId, bytes), bytes.subarray(signedLength))) return undefined;
  return {
    tenantId,
    partition,
    subscriptionId: bytes.readUIntBE(2, 6),
    uuid: bytes.toString('hex', 8, 24),
    outcomeHash: bytes.toString('hex', 24, 28),
  };
}

/** The tenant is signed too but not sent: the receiver knows it from the NAS. */
function mac(key: Buffer, tenantId: number, bytes: Buffer): Buffer {
  const { inner, outer } = padsOf(key);
  const message = Buffer.concat([inner, bytes.subarray(0, signedLength), Buffer.from(`|${tenantId}`)]);
  // A string of octets costs a third of what a new Buffer does.
  outer.write(hash('sha256', message, 'binary'), blockLength, digestLength, 'latin1');
  return Buffer.from(hash('sha256', outer, 'binary').slice(0, macLength), 'latin1');
}

const blockLength = 64;
const digestLength = 32;

/** `outer` has room for the inner digest behind it. One thread, synchronous use: it serves every call. */
type Pads = { readonly inner: Buffer; readonly outer: Buffer };
const pads = new WeakMap<Buffer, Pads>();

/** HMAC (RFC 2104) from two one-shot hashes: every login makes one, and createHmac costs ten times as much. */
function padsOf(key: Buffer): Pads {
  const known = pads.get(key);
  if (known) return known;
  const block = Buffer.alloc(blockLength);
  key.copy(block);
  const outer = Buffer.alloc(blockLength + digestLength);
  outer.set(block.map((byte) => byte ^ 0x5c));
  const made = { inner: Buffer.from(block.map((byte) => byte ^ 0x36)), outer };
  pads.set(key, made);
  return made;
}

// The Class attribute of a login (RFC 2865 §5.25): finds the partition of a session and proves whose it is.
import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import { partitionCount } from '#policy/ledger/types.ts';
import { type SipKey, sipHashInto, sipKey } from './siphash.ts';

// version (1) | partition (1) | subscription id (6) | uuid (16) | hash of the login's outcome (4) | code of all this and the tenant (8)
const version = 2;
/** Its code was an HMAC-SHA256, cut: sessions that were opened then still send it. */
const versionOne = 1;
const signedLength = 28;
const codeLength = 8;
export const classLength = signedLength + codeLength;

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

/** `uuid`: 32 hex digits or the 16 octets themselves. @param key `keyring.derive('class')` */
export function makeClass(
  key: Buffer,
  content: Omit<ClassContent, 'uuid'> & { readonly uuid: string | Uint8Array },
): Buffer {
  const bytes = Buffer.allocUnsafe(classLength);
  const { tenantId, partition, subscriptionId, uuid, outcomeHash: outcome } = content;
  const octets = typeof uuid === 'string' ? Buffer.from(uuid, 'hex') : uuid;
  writeClass(key, bytes, 0, tenantId, partition, subscriptionId, octets, Number.parseInt(outcome, 16));
  return bytes;
}

/** The same into memory of the caller. @param outcomeWord its hash as a number */
export function writeClass(
  key: Buffer,
  bytes: Buffer,
  at: number,
  tenantId: number,
  partition: number,
  subscriptionId: number,
  uuid: Uint8Array,
  outcomeWord: number,
): void {
  bytes[at] = version;
  bytes[at + 1] = partition;
  const high = Math.floor(subscriptionId / 0x1_0000_0000);
  bytes[at + 2] = high >>> 8;
  bytes[at + 3] = high;
  putWord(bytes, at + 4, subscriptionId % 0x1_0000_0000);
  for (let i = 0; i < 16; i++) bytes[at + 8 + i] = uuid[i] as number;
  putWord(bytes, at + 24, outcomeWord);
  signInto(key, tenantId, bytes, at, bytes, at + signedLength);
}

/** What a Class of ours says; undefined for any other, altered or made for another tenant. */
export function verifyClass(key: Buffer, tenantId: number, bytes: Buffer): ClassContent | undefined {
  const partition = bytes[1];
  if (bytes.length !== classLength || (bytes[0] !== version && bytes[0] !== versionOne)) return undefined;
  if (partition === undefined || partition >= partitionCount) return undefined;
  if (bytes[0] === version) signInto(key, tenantId, bytes, 0, computed, 0);
  else signOneInto(key, tenantId, bytes, computed);
  if (!timingSafeEqual(computed, bytes.subarray(signedLength))) return undefined;
  return {
    tenantId,
    partition,
    subscriptionId: bytes.readUIntBE(2, 6),
    uuid: bytes.toString('hex', 8, 24),
    outcomeHash: bytes.toString('hex', 24, 28),
  };
}

function putWord(bytes: Buffer, at: number, word: number): void {
  bytes[at] = word >>> 24;
  bytes[at + 1] = word >>> 16;
  bytes[at + 2] = word >>> 8;
  bytes[at + 3] = word;
}

const computed = Buffer.alloc(codeLength);
const message = Buffer.alloc(signedLength + 8);

/** The tenant is signed too but not sent: the receiver knows it from the NAS. */
function signInto(key: Buffer, tenantId: number, bytes: Buffer, from: number, target: Buffer, at: number): void {
  for (let i = 0; i < signedLength; i++) message[i] = bytes[from + i] as number;
  message.writeDoubleLE(tenantId, signedLength);
  sipHashInto(sipKeyOf(key), message, 0, message.length, target, at);
}

function signOneInto(key: Buffer, tenantId: number, bytes: Buffer, target: Buffer): void {
  const digest = createHmac('sha256', key).update(bytes.subarray(0, signedLength)).update(`|${tenantId}`).digest();
  digest.copy(target, 0, 0, codeLength);
}

const sipKeys = new WeakMap<Buffer, SipKey>();

/** The two codes have nothing in common, their keys neither. */
function sipKeyOf(key: Buffer): SipKey {
  const known = sipKeys.get(key);
  if (known) return known;
  const made = sipKey(createHmac('sha256', key).update('class version 2').digest().subarray(0, 16));
  sipKeys.set(key, made);
  return made;
}

// The bytes of a record in LMDB. Fixed fields first, texts behind; numbers are doubles because ids and instants pass 2^32; NaN is null.

import { type PasswordScheme, passwordSchemes } from '#policy/credentials/password-scheme.ts';
import { macModes } from '#policy/ledger/login.ts';
import type { Meter } from '#policy/ledger/types.ts';
import type { NasAttribute } from '#policy/nas/profile.ts';
import { reader, writer } from './octets.ts';
import type {
  AddressRecord,
  CredentialRecord,
  HoldReason,
  HoldRecord,
  ProfileRecord,
  SubscriptionRecord,
} from './records.ts';

/** Orders are part of the format: append, never reorder. */
const customerStatuses = [
  'lead',
  'new',
  'active',
  'blocked',
  'disabled',
] as const satisfies readonly SubscriptionRecord['customerStatus'][];
const statuses = [
  'pending',
  'active',
  'paused',
  'disabled',
  'terminated',
] as const satisfies readonly SubscriptionRecord['status'][];
const reasons = ['non_payment', 'fraud', 'abuse', 'customer_request', 'admin'] as const satisfies readonly HoldReason[];
const meters = ['radius', 'flow'] as const satisfies readonly Meter[];
const addressKinds = [
  'ipv4',
  'framed_route',
  'ipv6_prefix',
  'delegated_prefix',
] as const satisfies readonly AddressRecord['kind'][];

const none: readonly never[] = [];

/** Name of a credential of a subscription; kept with it so that its credentials can be found when they change. */
export type CredentialName = { readonly realm: string; readonly userName: string };

const subscriptionHead = 40;
/** Bits of the byte at 37: what is there only when it says so. Snapshots of before a bit was known have it clear. */
const hasMeterSince = 1;
const hasAttributes = 2;
const hasNetwork = 4;
const marksOf = (bytes: Buffer) => bytes[37] ?? 0;
const networkLength = 27;
/** Where own terms of the network begin: behind the instant of a switch of the meter, if there was one. Holds are behind them. */
const networkAt = (bytes: Buffer) => subscriptionHead + (marksOf(bytes) & hasMeterSince ? 8 : 0);
const headOf = (bytes: Buffer) => networkAt(bytes) + (marksOf(bytes) & hasNetwork ? networkLength : 0);

export function encodeSubscription(record: SubscriptionRecord, credentials: readonly CredentialName[]): Buffer {
  const out = writer(subscriptionHead + 8 + 17 * record.holds.length);
  const { attributes = none } = record;
  out.double(record.customerId);
  out.double(record.planId);
  out.double(record.paidUntilMs ?? Number.NaN);
  out.double(record.paidUntilSetAtMs);
  out.byte(indexIn(customerStatuses, record.customerStatus));
  out.byte(indexIn(statuses, record.status));
  out.byte(record.anchorDay);
  out.byte(indexIn(meters, record.meter));
  out.byte(record.holds.length);
  const marks = [record.meterSinceMs !== null && hasMeterSince, attributes.length > 0 && hasAttributes];
  out.byte([...marks, record.network && hasNetwork].reduce<number>((sum, mark) => sum | (mark || 0), 0));
  out.short(record.addresses.length);
  if (record.meterSinceMs !== null) out.double(record.meterSinceMs);
  if (record.network) {
    const { ipv4PoolId, ipv6PoolId, delegatedPoolId, sessionLimit, macLimit, macMode } = record.network;
    for (const id of [ipv4PoolId, ipv6PoolId, delegatedPoolId]) out.double(id ?? Number.NaN);
    // One more, so that 0 is null.
    out.byte(sessionLimit === null ? 0 : sessionLimit + 1);
    out.byte(macLimit === null ? 0 : macLimit + 1);
    out.byte(macMode === null ? 0 : indexIn(macModes, macMode) + 1);
  }
  for (const hold of record.holds) {
    out.byte(indexIn(reasons, hold.reason));
    out.double(hold.sinceMs);
    out.double(hold.untilMs ?? Number.NaN);
  }
  for (const { kind, prefix } of record.addresses) {
    out.byte(indexIn(addressKinds, kind));
    out.text(prefix);
  }
  out.short(credentials.length);
  for (const { realm, userName } of credentials) {
    out.text(realm);
    out.text(userName);
  }
  if (attributes.length > 0) {
    out.byte(attributes.length);
    for (const { vendor, type, value } of attributes) {
      out.double(vendor);
      out.byte(type);
      out.text(octetsOf(value).toString('latin1'));
    }
  }
  return out.finish();
}

export function decodeSubscription(tenantId: number, id: number, bytes: Buffer): SubscriptionRecord {
  const holdCount = bytes[36] ?? 0;
  const addressCount = bytes.readUInt16LE(38);
  const record: SubscriptionRecord = {
    tenantId,
    id,
    customerId: bytes.readDoubleLE(0),
    planId: bytes.readDoubleLE(8),
    customerStatus: customerStatuses[bytes[32] ?? 0] ?? 'disabled',
    status: statuses[bytes[33] ?? 0] ?? 'disabled',
    holds: holdCount === 0 ? none : decodeHolds(bytes, holdCount),
    paidUntilMs: orNull(bytes.readDoubleLE(16)),
    paidUntilSetAtMs: bytes.readDoubleLE(24),
    anchorDay: bytes[34] ?? 1,
    meter: meters[bytes[35] ?? 0] ?? 'radius',
    meterSinceMs: marksOf(bytes) & hasMeterSince ? bytes.readDoubleLE(subscriptionHead) : null,
    addresses: addressCount === 0 ? none : decodeAddresses(bytes, holdCount, addressCount),
    ...(marksOf(bytes) & hasNetwork ? { network: decodeNetwork(bytes, networkAt(bytes)) } : {}),
  };
  return marksOf(bytes) & hasAttributes ? { ...record, attributes: decodeAttributes(bytes) } : record;
}

function decodeNetwork(bytes: Buffer, at: number): NonNullable<SubscriptionRecord['network']> {
  const lessOne = (value = 0) => (value === 0 ? null : value - 1);
  return {
    ipv4PoolId: orNull(bytes.readDoubleLE(at)),
    ipv6PoolId: orNull(bytes.readDoubleLE(at + 8)),
    delegatedPoolId: orNull(bytes.readDoubleLE(at + 16)),
    sessionLimit: lessOne(bytes[at + 24]),
    macLimit: lessOne(bytes[at + 25]),
    macMode: macModes[(bytes[at + 26] ?? 0) - 1] ?? null,
  };
}

/** The names of the credentials that were stored with the subscription. */
export function credentialNames(bytes: Buffer): CredentialName[] {
  return namesFrom(behindAddresses(bytes));
}

function behindAddresses(bytes: Buffer) {
  const input = reader(bytes, headOf(bytes) + 17 * (bytes[36] ?? 0));
  for (let count = bytes.readUInt16LE(38); count > 0; count--) {
    input.byte();
    input.text();
  }
  return input;
}

function namesFrom(input: ReturnType<typeof reader>): CredentialName[] {
  return Array.from({ length: input.short() }, () => ({ realm: input.text(), userName: input.text() }));
}

/** Behind everything else: few subscriptions have any. */
function decodeAttributes(bytes: Buffer): NasAttribute[] {
  const input = behindAddresses(bytes);
  namesFrom(input);
  return Array.from({ length: input.byte() }, () => ({
    vendor: input.double(),
    type: input.byte(),
    value: Buffer.from(input.text(), 'latin1'),
  }));
}

function octetsOf(value: NasAttribute['value']): Buffer {
  if (typeof value === 'number') throw new Error('an attribute of a subscription is stored as octets');
  return Buffer.from(value);
}

function decodeHolds(bytes: Buffer, count: number): HoldRecord[] {
  const input = reader(bytes, headOf(bytes));
  return Array.from({ length: count }, () => ({
    reason: reasons[input.byte()] ?? 'admin',
    sinceMs: input.double(),
    untilMs: orNull(input.double()),
  }));
}

function decodeAddresses(bytes: Buffer, holdCount: number, count: number): AddressRecord[] {
  const input = reader(bytes, headOf(bytes) + 17 * holdCount);
  return Array.from({ length: count }, () => ({ kind: addressKinds[input.byte()] ?? 'ipv4', prefix: input.text() }));
}

/** A mark of any scheme but `clear` stands before the ciphertext, whose first octet, its version, is below it. */
const schemeMark = 0x80;

export function encodeCredential({ subscriptionId, passwordCipher, scheme }: CredentialRecord): Buffer {
  const head = scheme === 'clear' ? 8 : 9;
  const bytes = Buffer.allocUnsafe(head + passwordCipher.length);
  bytes.writeDoubleLE(subscriptionId, 0);
  if (head === 9) bytes[8] = schemeMark | indexIn(passwordSchemes, scheme);
  bytes.set(passwordCipher, head);
  return bytes;
}

/** `length` because LMDB lends a buffer that is larger than the value. */
export function decodeCredential(
  tenantId: number,
  realm: string,
  userName: string,
  bytes: Buffer,
  length: number,
): CredentialRecord {
  const mark = length > 8 ? (bytes[8] ?? 0) : 0;
  const head = mark < schemeMark ? 8 : 9;
  // A scheme of a newer version proves nothing here.
  const scheme: PasswordScheme = head === 8 ? 'clear' : (passwordSchemes[mark - schemeMark] ?? 'none');
  const passwordCipher = Buffer.allocUnsafe(length - head);
  bytes.copy(passwordCipher, 0, head, length);
  return { tenantId, realm, userName, subscriptionId: bytes.readDoubleLE(0), passwordCipher, scheme };
}

export function encodeProfileRecord(record: ProfileRecord): Buffer {
  const out = writer(36);
  out.double(record.fupSpeed?.upBps ?? 0);
  out.double(record.fupSpeed?.downBps ?? 0);
  out.double(record.fupUntilMs ?? Number.NaN);
  out.double(record.decidedAtMs);
  out.byte((record.fupBlocked ? 1 : 0) | (record.fupSpeed ? 2 : 0) | (record.heldOutcome === null ? 0 : 4));
  out.text(record.heldOutcome ?? '');
  return out.finish();
}

export function decodeProfileRecord(tenantId: number, subscriptionId: number, bytes: Buffer): ProfileRecord {
  const marks = bytes[32] ?? 0;
  return {
    tenantId,
    subscriptionId,
    fupSpeed: marks & 2 ? { upBps: bytes.readDoubleLE(0), downBps: bytes.readDoubleLE(8) } : null,
    fupBlocked: (marks & 1) !== 0,
    fupUntilMs: orNull(bytes.readDoubleLE(16)),
    heldOutcome: marks & 4 ? reader(bytes, 33).text() : null,
    decidedAtMs: bytes.readDoubleLE(24),
  };
}

/**
 * Tenants, plans and NASes are few and read often: they are JSON behind the version of their last change, so that a reader
 * compares eight bytes and answers with the object it decoded before.
 */
export function encodeVersioned(version: number, record: object): Buffer {
  const json = JSON.stringify(record, (_, value: unknown) =>
    isBufferJson(value) ? { base64: Buffer.from(value.data).toString('base64') } : value,
  );
  const bytes = Buffer.allocUnsafe(8 + Buffer.byteLength(json));
  bytes.writeDoubleLE(version, 0);
  bytes.write(json, 8);
  return bytes;
}

export function versionOf(bytes: Buffer): number {
  return bytes.readDoubleLE(0);
}

/** @typeParam T what was encoded under this key. */
export function decodeVersioned<T>(bytes: Buffer, length: number): T {
  return JSON.parse(bytes.toString('utf8', 8, length), (_, value: unknown) =>
    isBase64(value) ? Buffer.from(value.base64, 'base64') : value,
  ) as T;
}

function isBufferJson(value: unknown): value is { type: 'Buffer'; data: number[] } {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer' && 'data' in value;
}

function isBase64(value: unknown): value is { base64: string } {
  return typeof value === 'object' && value !== null && 'base64' in value && typeof value.base64 === 'string';
}

function indexIn<T>(list: readonly T[], value: T): number {
  const index = list.indexOf(value);
  if (index < 0) throw new Error(`${String(value)} is not one of ${list.join(', ')}`);
  return index;
}

function orNull(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}

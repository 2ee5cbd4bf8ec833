// Names of the records in LMDB: tenant (4 bytes), kind (1 byte), then the id or the text. Tenant 0 holds what belongs to no tenant.

export const kinds = {
  tenant: 1,
  plan: 2,
  subscription: 3,
  credential: 4,
  nas: 5,
  profile: 6,
  held: 7,
  removed: 8,
  pool: 9,
  macs: 10,
  device_user: 11,
  proxy: 12,
} as const;
export type Kind = keyof typeof kinds;

/** Length of a key made of tenant, kind and id. */
export const recordKeyLength = 13;
const prefixLength = 5;
/** A User-Name attribute has at most this many octets (RFC 2865 §5), so a longer name can never log in. */
export const longestName = 253;

/** Writes the key of (kind, tenant, id) into `key`, which has `recordKeyLength` bytes. */
export function writeRecordKey(key: Buffer, kind: number, tenantId: number, id: number): Buffer {
  putWord(key, 0, tenantId);
  key[4] = kind;
  putWord(key, 5, Math.floor(id / 0x1_0000_0000));
  putWord(key, 9, id % 0x1_0000_0000);
  return key;
}

export function recordKey(kind: Kind, tenantId: number, id: number): Buffer {
  return writeRecordKey(Buffer.allocUnsafe(recordKeyLength), kinds[kind], tenantId, id);
}

/** Neither part contains NUL (PostgreSQL refuses it in text), so the parts cannot run into each other. */
export function credentialKey(tenantId: number, realm: string, userName: string): Buffer {
  return writeCredentialKey(Buffer.allocUnsafe, tenantId, realm, userName);
}

/** The same in memory that `take` gives, which is asked for so many octets. */
export function writeCredentialKey(
  take: (length: number) => Buffer,
  tenantId: number,
  realm: string,
  userName: string,
): Buffer {
  const nameAt = prefixLength + realm.length + 1;
  const key = take(nameAt + userName.length);
  putWord(key, 0, tenantId);
  key[4] = kinds.credential;
  key[nameAt - 1] = 0;
  const isPlain = writeAscii(key, realm, prefixLength) && writeAscii(key, userName, nameAt);
  return isPlain ? key : Buffer.concat([prefix(tenantId, kinds.credential), Buffer.from(`${realm}\0${userName}`)]);
}

/** False when `text` is not all ASCII. A loop costs less than a call out of JavaScript for as few octets as a name has. */
function writeAscii(target: Buffer, text: string, at: number): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) return false;
    target[at + i] = unit;
  }
  return true;
}

/** What belongs to no tenant: positions, pointers, marks. */
export function metaKey(name: string): Buffer {
  return Buffer.concat([Buffer.alloc(prefixLength), Buffer.from(name)]);
}

/** First key of a kind of a tenant; the first of the next kind (or tenant) ends it. */
export function rangeOf(kind: Kind, tenantId: number): { start: Buffer; end: Buffer } {
  return { start: prefix(tenantId, kinds[kind]), end: prefix(tenantId, kinds[kind] + 1) };
}

/** Before every key of the tenant. */
export function startOfTenant(tenantId: number): Buffer {
  return prefix(tenantId, 0);
}

export function tenantOfKey(key: Uint8Array): number {
  return view(key).readUInt32BE(0);
}

export function kindOfKey(key: Uint8Array): number {
  return key[4] ?? 0;
}

export function idOfKey(key: Uint8Array): number {
  const bytes = view(key);
  return bytes.readUInt32BE(5) * 0x1_0000_0000 + bytes.readUInt32BE(9);
}

function prefix(tenantId: number, kind: number): Buffer {
  const key = Buffer.allocUnsafe(prefixLength);
  key.writeUInt32BE(tenantId, 0);
  key[4] = kind;
  return key;
}

function putWord(key: Buffer, at: number, word: number): void {
  key[at] = word >>> 24;
  key[at + 1] = word >>> 16;
  key[at + 2] = word >>> 8;
  key[at + 3] = word;
}

function view(key: Uint8Array): Buffer {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength);
}

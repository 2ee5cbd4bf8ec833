// Makes, changes and removes network access servers. A secret is encrypted for its tenant and address, so it moves with neither.
import { isIP } from 'node:net';
import { eq, sql } from 'drizzle-orm';
import type { Keyring } from '#ops/runtime/keyring.ts';
import { radsecIdentity } from '#policy/nas/radsec-identity.ts';
import { nasProfile, vendors } from '#policy/nas/vendors.ts';
import type { Tx } from '../database/connect.ts';
import { canonicalPrefix } from '../database/prefix.ts';
import { instantOf } from '../fields.ts';
import { invalid, Problem } from '../problem.ts';
import type { Compiled } from '../reply-attributes/contract.ts';
import { requirePolicies } from '../speed-policies/missing.ts';
import type { NasBody, NasChange, NasReply } from './contract.ts';
import { type Nas, nasOf, showNas } from './queries.ts';
import { nas } from './schema.ts';

export async function createNas(tx: Tx, keyring: Keyring, body: Compiled<NasBody>): Promise<NasReply> {
  const address = await canonicalPrefix(tx, body.address, '/address');
  const secrets = secretsAt(keyring, tx.scope.tenantId, address);
  const [made] = await tx
    .insert(nas)
    .values({
      tenantId: tx.scope.tenantId,
      name: body.name,
      address,
      secretCipher: secrets.encrypt(body.secret),
      ...columnsOf(body),
    })
    .returning();
  if (!made) throw new Error('the NAS was not inserted');
  await requireTold(tx, made);
  tx.audit('nas', made.id, { name: made.name, address });
  return showNas(made);
}

export async function changeNas(tx: Tx, keyring: Keyring, id: number, change: Compiled<NasChange>): Promise<NasReply> {
  if (Object.keys(change).length === 0) throw invalid('', 'names nothing to change');
  const before = await lockNas(tx, id);
  const address = change.address === undefined ? before.address : await canonicalPrefix(tx, change.address, '/address');
  const old = secretsAt(keyring, tx.scope.tenantId, before.address);
  const now = secretsAt(keyring, tx.scope.tenantId, address);
  const next = before.nextSecretCipher && old.decrypt(before.nextSecretCipher);
  const nextSecret = change.next_secret === undefined ? next : change.next_secret;
  const begins = change.next_secret !== undefined && change.next_secret !== next;
  const [changed] = await tx
    .update(nas)
    .set({
      ...(change.name === undefined ? {} : { name: change.name }),
      address,
      secretCipher: now.encrypt(change.secret ?? old.decrypt(before.secretCipher)),
      nextSecretCipher: nextSecret === null ? null : now.encrypt(nextSecret),
      ...(nextSecret === null ? { rotationStartedAt: null } : begins ? { rotationStartedAt: sql`now()` } : {}),
      ...columnsOf(change),
      updatedAt: sql`now()`,
    })
    .where(eq(nas.id, id))
    .returning();
  if (!changed) throw new Problem('nas_unknown', `there is no NAS ${id}`);
  if (change.vendor !== undefined || change.speed_way !== undefined || change.status !== undefined)
    await requireTold(tx, changed);
  const { secret, next_secret, ...open } = change;
  tx.audit('nas', id, {
    ...open,
    secret_changed: secret !== undefined,
    next_secret_changed: next_secret !== undefined,
  });
  return showNas(changed);
}

/** Speeds are told in a way the vendor knows, and those of the tariffs have names where names are wanted. */
async function requireTold(tx: Tx, { id, vendor, speedWay }: Nas): Promise<void> {
  const { rate, named } = nasProfile(vendor);
  if (speedWay !== null && !(speedWay === 'names' ? named : rate))
    throw invalid('/speed_way', `${vendor} is not told speeds in ${speedWay}`);
  await requirePolicies(tx, { nasId: id });
}

/** Ends a rotation: the next secret becomes the only one. */
export async function promoteSecret(tx: Tx, id: number): Promise<NasReply> {
  const before = await lockNas(tx, id);
  if (!before.nextSecretCipher) throw new Problem('no_next_secret', 'set next_secret first');
  const [changed] = await tx
    .update(nas)
    .set({
      secretCipher: before.nextSecretCipher,
      nextSecretCipher: null,
      rotationStartedAt: null,
      updatedAt: sql`now()`,
    })
    .where(eq(nas.id, id))
    .returning();
  if (!changed) throw new Problem('nas_unknown', `there is no NAS ${id}`);
  tx.audit('nas', id);
  return showNas(changed);
}

/** What was learned of it is void, and logins without Message-Authenticator may teach again for a while. */
export async function relearn(tx: Tx, id: number): Promise<NasReply> {
  const [changed] = await tx
    .update(nas)
    .set({ learnSince: sql`now()`, updatedAt: sql`now()` })
    .where(eq(nas.id, id))
    .returning();
  if (!changed) throw new Problem('nas_unknown', `there is no NAS ${id}`);
  tx.audit('nas', id);
  return showNas(changed);
}

export async function removeNas(tx: Tx, id: number): Promise<void> {
  // Locked, it gets no further users until it is gone.
  await lockNas(tx, id);
  const users = await tx.execute<{ what: string; name: string }>(
    sql`SELECT 'address pool' AS what, name FROM address_pool WHERE nas_id = ${id}::bigint
        UNION ALL SELECT 'accounting copy', name FROM accounting_copy WHERE nas_id = ${id}::bigint LIMIT 1`,
  );
  const [user] = users.rows;
  if (user) throw new Problem('nas_in_use', `${user.what} ${user.name} names it`);
  const [removed] = await tx.delete(nas).where(eq(nas.id, id)).returning({ address: nas.address, name: nas.name });
  if (!removed) throw new Problem('nas_unknown', `there is no NAS ${id}`);
  tx.audit('nas', id, removed);
}

export async function lockNas(tx: Tx, id: number): Promise<Nas> {
  await tx.select({ id: nas.id }).from(nas).where(eq(nas.id, id)).for('update');
  return nasOf(tx, id);
}

export function secretsAt(keyring: Keyring, tenantId: number, address: string) {
  const place = `${tenantId}:${address}`;
  return {
    encrypt: (secret: string) => keyring.encrypt('nas', place, Buffer.from(secret)),
    decrypt: (cipher: Buffer) => keyring.decrypt('nas', place, cipher).toString(),
  };
}

function columnsOf(body: Partial<Omit<Compiled<NasBody>, 'name' | 'address' | 'secret'>>) {
  if (body.vendor !== undefined && !vendors.some((known) => known === body.vendor))
    throw invalid('/vendor', `must be one of ${vendors.join(', ')}`);
  if (body.coa_address && (isIP(body.coa_address) === 0 || body.coa_address.includes('%')))
    throw invalid('/coa_address', 'must be an IP address');
  const identity = body.radsec_identity && radsecIdentity(body.radsec_identity);
  if (body.radsec_identity && !identity)
    throw invalid('/radsec_identity', 'must be dns:, cn: or sha256: and a name or fingerprint of a certificate');
  return {
    ...(body.nas_identifier === undefined ? {} : { nasIdentifier: body.nas_identifier }),
    ...(body.vendor === undefined ? {} : { vendor: body.vendor }),
    ...(body.coa_address === undefined ? {} : { coaAddress: body.coa_address }),
    ...(body.coa_port === undefined ? {} : { coaPort: body.coa_port }),
    ...(body.coa_rate_per_s === undefined ? {} : { coaRatePerS: body.coa_rate_per_s }),
    ...(body.mode === undefined ? {} : { mode: body.mode }),
    ...(body.adopted_at === undefined
      ? {}
      : { adoptedAt: body.adopted_at === null ? null : instantOf(body.adopted_at, '/adopted_at') }),
    ...demandOf(body),
    ...(body.limit_proxy_state === undefined ? {} : { limitProxyState: body.limit_proxy_state }),
    ...(body.reply_message_authenticator === undefined
      ? {}
      : { replyMessageAuthenticator: body.reply_message_authenticator }),
    ...(body.speed_way === undefined ? {} : { speedWay: body.speed_way }),
    ...(body.swap_octets === undefined ? {} : { swapOctets: body.swap_octets }),
    ...(body.octet_unit === undefined ? {} : { octetUnit: body.octet_unit }),
    ...(body.ipv6_rule === undefined ? {} : { ipv6Rule: body.ipv6_rule }),
    ...(body.attributes === undefined ? {} : { attributes: body.attributes }),
    ...(body.radsec_identity === undefined ? {} : { radsecIdentity: identity ?? null }),
    ...(body.coa_over_radsec === undefined ? {} : { coaOverRadsec: body.coa_over_radsec }),
    ...(body.device_logins === undefined ? {} : { deviceLogins: body.device_logins }),
    ...(body.status === undefined ? {} : { status: body.status }),
  };
}

function demandOf(body: Pick<Partial<NasBody>, 'message_authenticator' | 'require_message_authenticator'>): {
  messageAuthenticator?: 'yes' | 'no' | 'auto';
} {
  const { message_authenticator: policy, require_message_authenticator: required } = body;
  if (required === undefined) return policy === undefined ? {} : { messageAuthenticator: policy };
  const said = required ? 'yes' : 'no';
  if (policy !== undefined && policy !== said)
    throw invalid('/require_message_authenticator', `contradicts message_authenticator ${policy}`);
  return { messageAuthenticator: said };
}

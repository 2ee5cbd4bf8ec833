// Makes, changes and removes device users. A password is encrypted for its tenant and user name, in a realm of its own.
import { eq, sql } from 'drizzle-orm';
import type { Keyring } from '#ops/runtime/keyring.ts';
import { devicePlace } from '#policy/credentials/device-user.ts';
import type { Tx } from '../database/connect.ts';
import { instantOf } from '../fields.ts';
import { invalid } from '../problem.ts';
import type { DeviceUserBody, DeviceUserChange, DeviceUserReply, DeviceUserWithPassword } from './contract.ts';
import type { NewPassword } from './passwords.ts';
import { showDeviceUser, unknownDeviceUser } from './queries.ts';
import { deviceUser, deviceUserNas } from './schema.ts';

export async function createDeviceUser(
  tx: Tx,
  keyring: Keyring,
  body: DeviceUserBody,
  password: NewPassword,
): Promise<DeviceUserWithPassword> {
  const { user_name: userName, access } = body;
  // RFC 2865 §5: the value of an attribute is at most 253 octets.
  if (Buffer.byteLength(userName) > 253) throw invalid('/user_name', 'must not be longer than 253 octets');
  const { tenantId } = tx.scope;
  const [made] = await tx
    .insert(deviceUser)
    .values({ tenantId, userName, access, ...stored(keyring, tenantId, userName, password), ...columnsOf(body) })
    .returning({ id: deviceUser.id });
  if (!made) throw new Error('the device user was not inserted');
  await setPlaces(tx, made.id, body.nas_ids);
  const { password: _, ...open } = body;
  tx.audit('device_user', made.id, open);
  return { ...(await showDeviceUser(tx, made.id)), password: password.made };
}

export async function changeDeviceUser(tx: Tx, id: number, change: DeviceUserChange): Promise<DeviceUserReply> {
  if (Object.keys(change).length === 0) throw invalid('', 'names nothing to change');
  const { access } = change;
  const [changed] = await tx
    .update(deviceUser)
    .set({ ...(access === undefined ? {} : { access }), ...columnsOf(change), updatedAt: sql`now()` })
    .where(eq(deviceUser.id, id))
    .returning({ id: deviceUser.id });
  if (!changed) throw unknownDeviceUser(id);
  await setPlaces(tx, id, change.nas_ids);
  tx.audit('device_user', id, change);
  return showDeviceUser(tx, id);
}

export async function setPassword(
  tx: Tx,
  keyring: Keyring,
  id: number,
  password: NewPassword,
): Promise<DeviceUserWithPassword> {
  const [row] = await tx.select().from(deviceUser).where(eq(deviceUser.id, id)).for('update');
  if (!row) throw unknownDeviceUser(id);
  await tx
    .update(deviceUser)
    .set({ ...stored(keyring, tx.scope.tenantId, row.userName, password), updatedAt: sql`now()` })
    .where(eq(deviceUser.id, id));
  tx.audit('device_user', id, { password_changed: true });
  return { ...(await showDeviceUser(tx, id)), password: password.made };
}

export async function removeDeviceUser(tx: Tx, id: number): Promise<void> {
  const [removed] = await tx.delete(deviceUser).where(eq(deviceUser.id, id)).returning({ name: deviceUser.userName });
  if (!removed) throw unknownDeviceUser(id);
  tx.audit('device_user', id, { user_name: removed.name });
}

function stored(keyring: Keyring, tenantId: number, userName: string, { scheme, octets }: NewPassword) {
  return {
    passwordScheme: scheme,
    passwordCipher: keyring.encrypt('credential', devicePlace(tenantId, userName), octets),
  };
}

async function setPlaces(tx: Tx, id: number, nasIds: readonly number[] | null | undefined): Promise<void> {
  if (nasIds === undefined) return;
  await tx.delete(deviceUserNas).where(eq(deviceUserNas.deviceUserId, id));
  if (nasIds === null || nasIds.length === 0) return;
  const { tenantId } = tx.scope;
  await tx.insert(deviceUserNas).values(nasIds.map((nasId) => ({ tenantId, deviceUserId: id, nasId })));
}

function columnsOf({ enabled, valid_until, nas_ids, note }: Omit<DeviceUserChange, 'access'>) {
  return {
    ...(enabled === undefined ? {} : { enabled }),
    ...(valid_until === undefined
      ? {}
      : { validUntil: valid_until === null ? null : instantOf(valid_until, '/valid_until') }),
    ...(nas_ids === undefined ? {} : { everywhere: nas_ids === null }),
    ...(note === undefined ? {} : { note }),
  };
}

// The staff of all tenants by their names, made anew when the snapshot's have changed: there are few.
import { deviceRealm } from '#policy/credentials/device-user.ts';
import type { DeviceUserRecord } from '../subscribers/device-users.ts';
import type { CredentialRecord, SnapshotReader } from '../subscribers/records.ts';

export type DeviceUser = {
  readonly record: DeviceUserRecord;
  /** As the methods of authentication ask for it: in the realm of staff, of no subscription. */
  readonly credential: CredentialRecord;
};

export type DeviceUsers = {
  find(tenantId: number, userName: string): DeviceUser | undefined;
  /** Nobody at all. */
  isEmpty(): boolean;
};

export function createDeviceUsers(snapshot: Pick<SnapshotReader, 'nasGeneration' | 'deviceUserList'>): DeviceUsers {
  let byName = new Map<string, DeviceUser>();
  let made = Number.NaN;

  function current(): ReadonlyMap<string, DeviceUser> {
    const generation = snapshot.nasGeneration();
    if (generation === made) return byName;
    byName = new Map(snapshot.deviceUserList().map((record) => [keyOf(record.tenantId, record.userName), of(record)]));
    made = generation;
    return byName;
  }

  return {
    find: (tenantId, userName) => current().get(keyOf(tenantId, userName)),
    isEmpty: () => current().size === 0,
  };
}

function keyOf(tenantId: number, userName: string): string {
  return `${tenantId} ${userName}`;
}

function of(record: DeviceUserRecord): DeviceUser {
  const { tenantId, userName, passwordCipher, scheme } = record;
  return { record, credential: { tenantId, realm: deviceRealm, userName, subscriptionId: 0, passwordCipher, scheme } };
}

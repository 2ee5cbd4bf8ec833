// Staff who log in to network devices: their record in the snapshot, and how a row of feed_device_user becomes one.
import { isPasswordScheme, type PasswordScheme } from '#policy/credentials/password-scheme.ts';
import type { DeviceAccess } from '#policy/nas/device-access.ts';

export type DeviceUserRecord = {
  readonly tenantId: number;
  readonly id: number;
  readonly userName: string;
  /** Keyring purpose 'credential', place `<tenant>:<realm of staff>:<user name>` (policy/credentials/device-user.ts). */
  readonly passwordCipher: Buffer;
  readonly scheme: PasswordScheme;
  readonly access: DeviceAccess;
  readonly enabled: boolean;
  /** Null: for ever. */
  readonly validUntilMs: number | null;
  /** Where they may log in; null: everywhere. */
  readonly nasIds: readonly number[] | null;
};

type Columns = {
  tenant_id: string;
  id: string;
  user_name: string;
  password_scheme: string;
  password_cipher: Buffer;
  access: DeviceAccess;
  enabled: boolean;
  valid_until_ms: number | null;
  nas_ids: number[] | null;
};

export const deviceUserView = {
  select: `SELECT tenant_id, id, user_name, password_scheme, password_cipher, access, enabled,
    (extract(epoch FROM valid_until) * 1000)::float8 AS valid_until_ms, nas_ids FROM feed_device_user`,
  toRow: (row: Columns) => ({
    kind: 'device_user' as const,
    record: {
      tenantId: Number(row.tenant_id),
      id: Number(row.id),
      userName: row.user_name,
      passwordCipher: row.password_cipher,
      // A scheme of a newer version proves nothing here.
      scheme: isPasswordScheme(row.password_scheme) ? row.password_scheme : ('none' as const),
      access: row.access,
      enabled: row.enabled,
      validUntilMs: row.valid_until_ms,
      nasIds: row.nas_ids,
    } satisfies DeviceUserRecord,
  }),
};

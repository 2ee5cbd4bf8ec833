// What a device user looks like in the API: staff who log in to routers, switches and access nodes. Passwords go in and never come out.
import { sql } from 'drizzle-orm';
import Type, { type Static } from 'typebox';
import { passwordMethods } from '#policy/credentials/password-scheme.ts';
import { type DeviceAccess, deviceAccesses } from '#policy/nas/device-access.ts';
import { contains } from '../database/list.ts';
import { type ListDefinition, listQuery, listReply } from '../database/list-contract.ts';
import { choice, Id, Instant, nullable, strict, Text } from '../fields.ts';
import { StoredPassword } from '../subscriptions/contract.ts';
import { deviceUser } from './schema.ts';

/** hash: only PAP can be checked. clear: encrypted, so that CHAP and MS-CHAP, which some devices send, can be checked too. */
export const passwordStores = ['hash', 'clear'] as const;

const Access = Type.Unsafe<DeviceAccess>(
  Type.Enum([...deviceAccesses], {
    description: 'read: look. write: change the configuration. full: everything, users and keys of the device included',
  }),
);
const password = {
  password: Type.Optional(
    Type.Union([Type.String({ minLength: 8, maxLength: 128 }), StoredPassword], {
      description: 'absent: one is made and shown once in the answer',
    }),
  ),
  store: Type.Optional(
    Type.Unsafe<(typeof passwordStores)[number]>(
      Type.Enum([...passwordStores], {
        description:
          'hash (default): Argon2id, which serves PAP alone; clear: encrypted, for devices that send CHAP or MS-CHAP, such as RouterOS',
      }),
    ),
  ),
};
const changeable = {
  enabled: Type.Optional(Type.Boolean()),
  valid_until: Type.Optional(nullable(Type.String({ format: 'date-time', description: 'no login after it' }))),
  nas_ids: Type.Optional(
    nullable(
      Type.Array(Id, { maxItems: 1000, uniqueItems: true, description: 'where it may log in; null: everywhere' }),
    ),
  ),
  note: Type.Optional(Text),
};

export const DeviceUserBody = strict({
  user_name: Type.String({ minLength: 1, maxLength: 253, pattern: '^[^\\u0000-\\u001f\\u007f]+$' }),
  access: Access,
  ...password,
  ...changeable,
});
export type DeviceUserBody = Static<typeof DeviceUserBody>;

export const DeviceUserChange = strict({ access: Type.Optional(Access), ...changeable });
export type DeviceUserChange = Static<typeof DeviceUserChange>;

export const PasswordBody = nullable(strict(password));
export type PasswordBody = Static<typeof PasswordBody>;

const shown = {
  id: Id,
  user_name: Type.String(),
  access: choice(deviceAccesses),
  enabled: Type.Boolean(),
  valid_until: nullable(Instant),
  nas_ids: nullable(Type.Array(Id, { description: 'null: everywhere; empty: nowhere' })),
  note: Type.String(),
  serves: Type.Array(choice(passwordMethods), { description: 'the methods that the stored password can serve' }),
  created_at: Instant,
  updated_at: Instant,
};
export const DeviceUserReply = Type.Object(shown);
export type DeviceUserReply = Static<typeof DeviceUserReply>;

export const DeviceUserWithPassword = Type.Object({
  ...shown,
  password: nullable(Type.String({ description: 'the one that was made, shown this once; null when it was given' })),
});
export type DeviceUserWithPassword = Static<typeof DeviceUserWithPassword>;

export const deviceUserList = {
  from: sql`${deviceUser}`,
  id: deviceUser.id,
  defaultSort: 'id',
  searches: 'a part of the name or of the note',
  fields: {
    id: { kind: 'integer', value: deviceUser.id, sortable: true },
    user_name: { kind: 'text', value: deviceUser.userName, sortable: true, like: contains(deviceUser.userName) },
    access: { kind: 'text', value: deviceUser.access, choices: deviceAccesses },
    enabled: { kind: 'boolean', value: deviceUser.enabled },
    valid_until: { kind: 'instant', value: deviceUser.validUntil, nullable: true },
  },
} as const satisfies ListDefinition;
export const DeviceUserQuery = listQuery(deviceUserList);
export const DeviceUsersReply = listReply(DeviceUserReply);

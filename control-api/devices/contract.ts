// The devices that a subscription was used with, where it is bound to them.
import Type, { type Static } from 'typebox';
import { Id, Instant, strict } from '../fields.ts';

export const DevicesReply = Type.Object({
  data: Type.Array(
    Type.Object({
      mac: Type.String({ description: 'twelve hex digits' }),
      last_login_at: Type.String({ ...Instant, description: 'to the day' }),
    }),
  ),
});
export type DevicesReply = Static<typeof DevicesReply>;

export const DeviceParams = strict({
  id: Id,
  mac: Type.String({ pattern: '^[0-9A-Fa-f]{2}([:.-]?[0-9A-Fa-f]{2}){5}$' }),
});

// What the guard of the subscriber snapshot looks like in the API.
import Type from 'typebox';
import { Instant, strict } from '../fields.ts';

export const FeedGuardReply = Type.Object({
  data: Type.Array(
    Type.Object({
      kind: Type.String({ description: '`removals` of subscribers, or a `reload` that would lose records' }),
      all_tenants: Type.Boolean({ description: 'of all tenants together; a super admin confirms it' }),
      count: Type.Integer({ description: 'records that aaa-server keeps until this count is confirmed' }),
      since: Instant,
    }),
  ),
});
export const FeedGuardConfirmBody = strict({ count: Type.Integer({ minimum: 1, maximum: 100_000_000 }) });
export const FeedGuardConfirmed = Type.Object({ confirmed: Type.Integer() });

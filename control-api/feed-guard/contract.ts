// What the guard of the subscriber snapshot looks like in the API.
import Type from 'typebox';
import { Instant, nullable, strict } from '../fields.ts';

export const FeedGuardReply = Type.Object({
  held: nullable(
    Type.Object({ count: Type.Integer({ description: 'removals that aaa-server has not followed' }), since: Instant }),
  ),
});
export const FeedGuardConfirmBody = strict({ count: Type.Integer({ minimum: 1, maximum: 100_000_000 }) });
export const FeedGuardConfirmed = Type.Object({ confirmed: Type.Integer() });

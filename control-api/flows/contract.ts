// What flows look like in the API, summed: the subscriptions that move the most bytes.
import Type from 'typebox';
import { Bytes, Id, nullable, strict } from '../fields.ts';

export const TopTalkersQuery = strict({
  minutes: Type.Optional(Type.Integer({ minimum: 1, maximum: 1440, description: 'back from now; default 60' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: 'default 10' })),
});

export const TopTalkersReply = Type.Object({
  data: Type.Array(
    Type.Object({
      subscription_id: Id,
      user_name: nullable(Type.String()),
      up_bytes: Bytes,
      down_bytes: Bytes,
      total_bytes: Bytes,
    }),
    { description: 'most bytes first; a sampled flow counts as many bytes as it stands for' },
  ),
});

// What the health of the product looks like in the API.
import Type from 'typebox';

export const SystemReply = Type.Object({
  version: Type.String(),
  processes: Type.Array(
    Type.Object({
      name: Type.String(),
      ready: Type.Boolean({ description: 'every dependency of the process is fine' }),
      problem: Type.String({ description: 'why the process itself does not answer, else empty' }),
      checks: Type.Record(Type.String(), Type.String(), {
        description: 'per dependency `ok`, or the sentence that says what is wrong and what to do',
      }),
    }),
  ),
});

// The rotation of secrets in the API: new secrets are shown once, in the reply that makes them.
import Type, { type Static } from 'typebox';
import { Id, Instant, nullable, strict } from '../fields.ts';
import { Secret } from './contract.ts';

export const RotationBody = nullable(strict({ secret: Type.Optional(Secret) }));
export type RotationBody = Static<typeof RotationBody>;

export const Rotated = Type.Object({
  id: Id,
  name: Type.String(),
  address: Type.String(),
  secret: Type.String({ description: 'the next secret, shown this once: enter it on the device' }),
});
export type Rotated = Static<typeof Rotated>;

const Uses = Type.Object({
  requests: nullable(
    Type.Integer({ description: 'in the last quarter of an hour, by all nodes; null: not known now' }),
  ),
});
export const RotationReply = Type.Object({
  id: Id,
  rotating: Type.Boolean(),
  started_at: nullable(Instant),
  current: Uses,
  next: Uses,
  counted_since: nullable(Instant),
  last_heard_at: nullable(Instant),
  may_finish: Type.Boolean({ description: 'lately requests came with the next secret, and none with the current one' }),
});
export type RotationReply = Static<typeof RotationReply>;

export const RotationEnd = nullable(
  strict({ force: Type.Optional(Type.Boolean({ description: 'whatever the requests say' })) }),
);
export type RotationEnd = Static<typeof RotationEnd>;
export const RotationForce = strict({
  force: Type.Optional(Type.Boolean()),
  dry_run: Type.Optional(Type.Boolean({ description: 'do everything, answer as if done, keep nothing' })),
});

export const mostAtOnce = 1000;
const choice = {
  ids: Type.Optional(Type.Array(Id, { minItems: 1, maxItems: mostAtOnce, uniqueItems: true })),
  vendor: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  all: Type.Optional(Type.Literal(true)),
};
/** Exactly one of the keys. */
export const RotationChoice = strict(choice);
export type RotationChoice = Static<typeof RotationChoice>;
export const RotationOrder = strict({ ...choice, count: Type.Integer({ minimum: 1, maximum: mostAtOnce }) });
export type RotationOrder = Static<typeof RotationOrder>;

export const RotationPreview = Type.Object({
  count: Type.Integer({ description: 'confirm with this number' }),
  data: Type.Array(Type.Object({ id: Id, name: Type.String(), address: Type.String() })),
  rotating: Type.Array(Id, { description: 'left out: their secret is being changed already' }),
});
export type RotationPreview = Static<typeof RotationPreview>;
export const RotationsReply = Type.Object({ data: Type.Array(Rotated) });

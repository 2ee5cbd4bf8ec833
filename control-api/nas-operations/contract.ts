// What maintenance windows and drains of an access server look like in the API.
import Type, { type Static } from 'typebox';
import { type DrainAnswer, drainAnswers, fastestMovePerS } from '#policy/nas/drain.ts';
import { Id, Instant, nullable, strict, Text } from '../fields.ts';

const InstantText = (description: string) => Type.String({ format: 'date-time', description });
const Answer = Type.Unsafe<DrainAnswer>(
  Type.Enum([...drainAnswers], {
    description:
      'what new logins get. silence: nothing, so that the subscriber is heard by another access server; reject: a no at once',
  }),
);

export const MaintenanceBody = strict({
  from: Type.Optional(InstantText('absent: now')),
  until: InstantText('at most 24 hours after from, together with windows less than an hour away'),
  note: Type.Optional(Text),
});
export type MaintenanceBody = Static<typeof MaintenanceBody>;

export const maintenanceStates = ['planned', 'running', 'over'] as const;
export const MaintenanceReply = Type.Object({
  id: Id,
  from: Instant,
  until: Instant,
  note: Type.String(),
  state: Type.Unsafe<(typeof maintenanceStates)[number]>(Type.Enum([...maintenanceStates])),
});
export type MaintenanceReply = Static<typeof MaintenanceReply>;
export const MaintenancesReply = Type.Object({
  data: Type.Array(MaintenanceReply, { description: 'latest first, at most 200' }),
});
export const MaintenanceParams = strict({ id: Id, maintenance_id: Id });

export const DrainBody = nullable(strict({ answer: Type.Optional(Answer), note: Type.Optional(Text) }));
export type DrainBody = Static<typeof DrainBody>;

export const MoveBody = strict({
  count: Type.Integer({
    minimum: 1,
    maximum: 10_000_000,
    description: 'no more sessions are ended; at least as many as are open now, and at most max(50, 3 %) more',
  }),
  per_s: Type.Integer({ minimum: 1, maximum: fastestMovePerS, description: 'sessions that are ended in a second' }),
});
export type MoveBody = Static<typeof MoveBody>;

const MoveReply = Type.Object({
  count: Type.Integer({ description: 'as it was confirmed' }),
  per_s: Type.Integer(),
  started_at: Instant,
  stopped_at: nullable(Instant),
  told: nullable(
    Type.Integer({ description: 'sessions that were told to end, each counted once; null while Redis is away' }),
  ),
});

const drain = { answer: Answer, note: Type.String(), started_at: Instant };
export const DrainReply = Type.Object({
  ...drain,
  open_sessions: nullable(
    Type.Integer({ description: 'of subscribers, open now: what a move would end; null while Redis is away' }),
  ),
  move: nullable(MoveReply),
});
export type DrainReply = Static<typeof DrainReply>;

/** Beside an access server, in answers to GET. */
export const NasOperations = Type.Object(
  {
    maintenance: nullable(MaintenanceReply),
    drain: nullable(Type.Object({ ...drain, moving: Type.Boolean() })),
  },
  { description: 'in answers to GET: the window of maintenance that runs or comes next, and the drain' },
);
export type NasOperations = Static<typeof NasOperations>;

// What enforcement looks like in the API: what sessions should be, what their NAS was told and has confirmed, and the brake.
import Type from 'typebox';
import { actionResults } from '#policy/ledger/actions.ts';
import { brakeStates } from '#policy/ledger/brake.ts';
import { choice, Id, Instant, nullable, strict } from '../fields.ts';
import { enforcementModes } from '../tenants/schema.ts';

const OutcomeText = Type.String({
  description: 'an outcome such as `throttle:2000000/2000000:fup` (bits per second, up before down), or empty',
});

export const EnforcementReply = Type.Object({
  mode: choice(enforcementModes),
  sessions: Type.Array(
    Type.Object({
      session_id: Type.String(),
      desired: OutcomeText,
      sent: OutcomeText,
      acked: OutcomeText,
      error_cause: nullable(Type.String({ description: 'Error-Cause of RFC 5176, or `timeout`' })),
      updated_at: Instant,
    }),
  ),
});

export const ActionsQuery = strict({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, description: 'default 50' })),
});

export const ActionReply = Type.Object({
  at: Instant,
  subscription_id: Id,
  user_name: Type.String(),
  nas_id: Id,
  session_id: Type.String(),
  by: choice(['coa', 'disconnect'] as const),
  outcome: OutcomeText,
  result: choice(actionResults),
  error_cause: nullable(Type.String({ description: 'Error-Cause of RFC 5176' })),
  lag_ms: nullable(Type.Integer({ description: 'from the packet that crossed a threshold to the answer' })),
});
export const ActionsReply = Type.Object({ data: Type.Array(ActionReply) });

export const BrakeReply = Type.Object({
  id: Id,
  state: choice(brakeStates),
  since: Instant,
  count: Type.Integer({ description: 'subscriptions whose change waits' }),
  online: Type.Integer(),
  limit: Type.Integer(),
  reasons: Type.Record(Type.String(), Type.Integer()),
});
export const BrakesReply = Type.Object({ data: Type.Array(BrakeReply) });

export const ConfirmBody = strict({ count: Type.Integer({ minimum: 0, maximum: 100_000_000 }) });
export const ReleasedReply = Type.Object({ released: Type.Integer() });

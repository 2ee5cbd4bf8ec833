// What the usage of a subscription looks like in the API.
import Type, { type Static } from 'typebox';
import { seriesSteps } from '#policy/series.ts';
import { Bytes, choice, Instant, strict } from '../fields.ts';

const count = { up_bytes: Bytes, down_bytes: Bytes, total_bytes: Bytes };
const Count = Type.Object(count);

/** Without any of them no series is answered. */
export const UsageQuery = strict({
  from: Type.Optional(
    Type.String({ format: 'date-time', description: 'begin of the series; the step that contains it is the first' }),
  ),
  to: Type.Optional(Type.String({ format: 'date-time', description: 'end of the series; without it: now' })),
  step: Type.Optional(choice(seriesSteps)),
});
export type UsageQuery = Static<typeof UsageQuery>;

/** Windows in the tenant's zone; the month is the billing month of the subscription. */
export const UsageReply = Type.Object({
  today: Count,
  this_month: Count,
  all_time: Count,
  series: Type.Optional(
    Type.Array(Type.Object({ from: Instant, ...count }), {
      description: 'days or hours of the zone, oldest first, those without bytes too',
    }),
  ),
  complete_until: Type.Optional(
    Type.String({ format: 'date-time', description: 'what was counted before this instant is in the series' }),
  ),
});

// What a session that is online looks like in the API.
import Type, { type Static } from 'typebox';
import { Bytes, Id, Instant, nullable, strict } from '../fields.ts';

export const SessionQuery = strict({
  per_page: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, description: 'default 50' })),
  cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 2000 })),
  search: Type.Optional(
    Type.String({ minLength: 1, maxLength: 253, description: 'user name, address or calling station' }),
  ),
});

export const SessionReply = Type.Object({
  session_id: Type.String({ description: 'Acct-Session-Id' }),
  subscription_id: nullable(Id),
  nas_id: Id,
  user_name: Type.String(),
  started_at: Instant,
  last_event_at: Instant,
  session_time_s: nullable(Type.Integer()),
  up_bytes: Bytes,
  down_bytes: Bytes,
  framed_ip: Type.String(),
  framed_ipv6_prefix: Type.String(),
  delegated_ipv6_prefix: Type.String(),
  calling_station_id: Type.String(),
  called_station_id: Type.String(),
  nas_port: Type.String(),
  nas_port_id: Type.String(),
});
export type SessionReply = Static<typeof SessionReply>;

export const SessionCountReply = Type.Object({ online: Type.Integer({ minimum: 0 }) });

export const SessionsReply = Type.Object({
  data: Type.Array(SessionReply),
  pagination: Type.Object({
    page: Type.Null(),
    per_page: Type.Integer(),
    total: Type.Null({ description: 'not counted: sessions come and go while the pages are read' }),
    total_estimated: Type.Boolean(),
    next_cursor: nullable(Type.String()),
  }),
});

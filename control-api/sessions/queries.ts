// Reads the sessions that are online from the ledger.
import type { Static } from 'typebox';
import type { LiveSession } from '#policy/ledger/types.ts';
import type { TenantScope } from '../database/connect.ts';
import type { LedgerReader } from '../ledger-reader.ts';
import { fromLedger } from '../plugins/ledger-failure.ts';
import type { SessionQuery, SessionReply, SessionsReply } from './contract.ts';

const defaultPerPage = 50;

export async function listSessions(
  ledger: LedgerReader,
  { tenantId }: TenantScope,
  query: Static<typeof SessionQuery>,
): Promise<Static<typeof SessionsReply>> {
  const limit = query.per_page ?? defaultPerPage;
  const { cursor, search } = query;
  const { sessions, nextCursor } = await fromLedger(() => ledger.listSessions(tenantId, { cursor, limit, search }));
  return {
    data: sessions.map(show),
    pagination: { page: null, per_page: limit, total: null, total_estimated: false, next_cursor: nextCursor },
  };
}

function show(session: LiveSession): SessionReply {
  return {
    session_id: session.sessionId,
    subscription_id: session.subscriptionId === 0 ? null : session.subscriptionId,
    nas_id: session.nasId,
    user_name: session.userName,
    started_at: new Date(session.startedAtMs).toISOString(),
    last_event_at: new Date(session.lastEventAtMs).toISOString(),
    session_time_s: session.sessionTimeS,
    up_bytes: session.upBytes,
    down_bytes: session.downBytes,
    framed_ip: session.framedIp,
    framed_ipv6_prefix: session.framedIpv6Prefix,
    delegated_ipv6_prefix: session.delegatedIpv6Prefix,
    calling_station_id: session.callingStationId,
    called_station_id: session.calledStationId,
    nas_port: session.nasPort,
    nas_port_id: session.nasPortId,
  };
}

// Sessions: GET /sessions, who is online.
import { type Api, tenantOf } from '../api.ts';
import type { Deps } from '../deps.ts';
import { problems } from '../fields.ts';
import { fromLedger } from '../plugins/ledger-failure.ts';
import { SessionCountReply, SessionQuery, SessionsReply } from './contract.ts';
import { listSessions } from './queries.ts';

export function sessionRoutes(app: Api, { ledger }: Deps): void {
  app.get(
    '/sessions',
    {
      config: { permission: 'sessions:read' },
      schema: {
        tags: ['sessions'],
        operationId: 'sessions.list',
        summary: 'List the sessions that are online',
        querystring: SessionQuery,
        response: { 200: SessionsReply, ...problems('invalid_cursor', 'ledger_unavailable') },
      },
    },
    (request) => listSessions(ledger, tenantOf(request), request.query),
  );

  app.get(
    '/sessions/count',
    {
      config: { permission: 'sessions:read' },
      schema: {
        tags: ['sessions'],
        operationId: 'sessions.count',
        summary: 'How many sessions are online',
        response: { 200: SessionCountReply, ...problems('ledger_unavailable') },
      },
    },
    async (request) => {
      const { tenantId } = tenantOf(request);
      return { online: await fromLedger(() => ledger.countSessions(tenantId)) };
    },
  );
}

// Flows: GET /flows/top-talkers.
import { type Api, tenantOf } from '../api.ts';
import type { Deps } from '../deps.ts';
import { problems } from '../fields.ts';
import { TopTalkersQuery, TopTalkersReply } from './contract.ts';
import { topTalkers } from './queries.ts';

export function flowRoutes(app: Api, deps: Deps): void {
  app.get(
    '/flows/top-talkers',
    {
      config: { permission: 'usage:read' },
      schema: {
        tags: ['flows'],
        operationId: 'flows.top_talkers',
        summary: 'The subscriptions that moved the most bytes',
        querystring: TopTalkersQuery,
        response: { 200: TopTalkersReply, ...problems('history_unavailable') },
      },
    },
    (request) => topTalkers(deps, tenantOf(request), request.query),
  );
}

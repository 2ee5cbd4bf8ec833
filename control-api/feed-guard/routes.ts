// The guard of the subscriber snapshot: GET /aaa/feed-guard, POST /aaa/feed-guard/confirm.
import { type Api, tenantOf, writing } from '../api.ts';
import type { Deps } from '../deps.ts';
import { problems } from '../fields.ts';
import { confirmRemovals } from './commands.ts';
import { FeedGuardConfirmBody, FeedGuardConfirmed, FeedGuardReply } from './contract.ts';

const tags = ['aaa'];

export function feedGuardRoutes(app: Api, deps: Deps): void {
  app.get(
    '/aaa/feed-guard',
    {
      config: { permission: 'feed_guard:read' },
      schema: {
        tags,
        operationId: 'feed_guard.get',
        summary: 'How many removals of subscribers aaa-server holds back until they are confirmed',
        response: { 200: FeedGuardReply, ...problems('aaa_unavailable') },
      },
    },
    async (request) => ({ held: await deps.feedGuard.held(tenantOf(request).tenantId) }),
  );

  app.post(
    '/aaa/feed-guard/confirm',
    {
      config: { permission: 'feed_guard:write' },
      schema: {
        tags,
        operationId: 'feed_guard.confirm',
        summary: 'Let the held removals pass, by their count',
        body: FeedGuardConfirmBody,
        response: { 200: FeedGuardConfirmed, ...problems('feed_guard_count_differs', 'aaa_unavailable') },
      },
    },
    (request) => confirmRemovals(deps, writing(request), request.body.count),
  );
}

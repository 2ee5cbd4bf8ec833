// The guard of the subscriber snapshot: GET /aaa/feed-guard, POST /aaa/feed-guard/confirm.
import { type Api, callerOf, writing } from '../api.ts';
import type { Deps } from '../deps.ts';
import { problems } from '../fields.ts';
import { confirmRemovals } from './commands.ts';
import { FeedGuardConfirmBody, FeedGuardConfirmed, FeedGuardReply } from './contract.ts';
import { heldFor, showHeld } from './queries.ts';

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
    async (request) => ({ data: (await heldFor(deps.feedGuard, callerOf(request))).map(showHeld) }),
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
    (request) => confirmRemovals(deps, writing(request), callerOf(request), request.body.count),
  );
}

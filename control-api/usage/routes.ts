// Usage: GET /subscriptions/{id}/usage, and the same below its customer.
import { type Api, tenantOf } from '../api.ts';
import type { Deps } from '../deps.ts';
import { problems } from '../fields.ts';
import { onBothPaths } from '../subscriptions/paths.ts';
import { UsageQuery, UsageReply } from './contract.ts';
import { usageOf } from './queries.ts';

export function usageRoutes(app: Api, deps: Deps): void {
  onBothPaths(app, {
    methods: ['GET'],
    below: '/usage',
    permission: 'usage:read',
    schema: {
      tags: ['usage'],
      operationId: 'usage.get',
      summary:
        'Bytes of today, of the billing month and of all time; with from and step also a series of days or hours',
      querystring: UsageQuery,
      response: {
        200: UsageReply,
        ...problems('subscription_unknown', 'series_too_long', 'ledger_unavailable', 'history_unavailable'),
      },
    },
    handler: (request, _, { path }) => usageOf(deps, tenantOf(request), path, request.query as UsageQuery),
  });
}

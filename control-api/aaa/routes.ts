// Operator tools of AAA: /aaa/explain, /aaa/test-auth, /aaa/logins, /aaa/rejects and /subscriptions/{id}/logins.

import type { FastifyRequest } from 'fastify';
import type { Static } from 'typebox';
import { type Api, callerOf, tenantOf, writing } from '../api.ts';
import type { Deps } from '../deps.ts';
import { problems } from '../fields.ts';
import { permits } from '../permissions.ts';
import { onBothPaths } from '../subscriptions/paths.ts';
import { testLogin } from './commands.ts';
import {
  ExplainQuery,
  ExplanationReply,
  LoginsQuery,
  LoginsReply,
  OwnLoginsQuery,
  RejectsQuery,
  RejectsReply,
  TestBody,
  TestReply,
} from './contract.ts';
import { countRejects, listLogins, loginsOf } from './logins.ts';
import { explainLogin } from './queries.ts';

const tags = ['aaa'];
/** A password may be tried so often by one who is signed in: nobody guesses one this way. */
const testsPerMinute = 20;

export function aaaRoutes(app: Api, deps: Deps): void {
  app.get(
    '/aaa/explain',
    {
      config: { permission: 'aaa:read' },
      schema: {
        tags,
        operationId: 'aaa.explain',
        summary:
          'What a login with the right password would be answered, and the rule behind each attribute or the reject',
        querystring: ExplainQuery,
        response: { 200: ExplanationReply, ...problems('nas_not_found', 'nas_not_named', 'aaa_unavailable') },
      },
    },
    (request) => explainLogin(deps, tenantOf(request), request.query, seesStaff(request)),
  );

  app.post(
    '/aaa/test-auth',
    {
      config: {
        permission: 'aaa:test',
        rateLimit: {
          max: testsPerMinute,
          timeWindow: 60_000,
          hook: 'preHandler',
          keyGenerator: (request) => `test-auth ${callerOf(request).userId}`,
        },
      },
      schema: {
        tags,
        operationId: 'aaa.test_auth',
        summary:
          'Try a login as the access server would send it; it takes no session, address or device, and is in the auth log as a test',
        body: TestBody,
        response: { 200: TestReply, ...problems('nas_not_found', 'nas_not_named', 'aaa_unavailable') },
      },
    },
    (request) => testLogin(deps, writing(request), request.body),
  );

  app.get(
    '/aaa/logins',
    {
      config: { permission: 'aaa:read' },
      schema: {
        tags,
        operationId: 'aaa.logins',
        summary: 'The auth log, newest first: also of users that nobody knows',
        querystring: LoginsQuery,
        response: { 200: LoginsReply, ...problems('invalid_cursor', 'history_unavailable') },
      },
    },
    (request) => listLogins(deps, tenantOf(request), request.query, seesStaff(request)),
  );

  onBothPaths(app, {
    methods: ['GET'],
    below: '/logins',
    permission: 'aaa:read',
    schema: {
      tags,
      operationId: 'subscriptions.logins',
      summary: 'The logins of a subscription, newest first, with the reason of each reject',
      querystring: OwnLoginsQuery,
      response: { 200: LoginsReply, ...problems('subscription_unknown', 'invalid_cursor', 'history_unavailable') },
    },
    handler: (request, _, { path }) =>
      loginsOf(deps, tenantOf(request), path, request.query as Static<typeof OwnLoginsQuery>),
  });

  app.get(
    '/aaa/rejects',
    {
      config: { permission: 'aaa:read' },
      schema: {
        tags,
        operationId: 'aaa.rejects',
        summary: 'Rejects by hour and reason, access server or user name, and the names that are rejected most',
        querystring: RejectsQuery,
        response: { 200: RejectsReply, ...problems('span_too_long', 'history_unavailable') },
      },
    },
    (request) => countRejects(deps, tenantOf(request), request.query, seesStaff(request)),
  );
}

/** Who logs in to devices is known to those who may see the device users. */
function seesStaff(request: FastifyRequest): boolean {
  return permits(callerOf(request).role, 'device_users:read');
}

// Serves an operation of a subscription at both of its paths, by one handler:
// /subscriptions/{id}/… and /customers/{id}/services/{subscription_id}/….
import type { FastifyReply, FastifyRequest, FastifySchema, HTTPMethods } from 'fastify';
import type { Static, TSchema } from 'typebox';
import type { Api } from '../api.ts';
import { CustomerParams, OwnParams } from './contract.ts';
import type { SubscriptionPath } from './queries.ts';

type Operation<Body extends TSchema> = {
  methods: readonly HTTPMethods[];
  /** What follows the subscription, e.g. `/suspend`. */
  below: string;
  permission: 'subscriptions:read' | 'subscriptions:write' | 'usage:read' | 'enforcement:read' | 'aaa:read';
  idempotent?: boolean;
  schema: Omit<FastifySchema, 'body'> & { operationId: string };
  body?: Body;
  handler(
    request: FastifyRequest,
    reply: FastifyReply,
    input: { path: SubscriptionPath; body: Static<Body> },
  ): Promise<unknown>;
};

export function onBothPaths<Body extends TSchema>(app: Api, operation: Operation<Body>): void {
  const { methods, below, permission, idempotent = false, schema, body, handler } = operation;
  for (const [prefix, params, suffix] of [
    ['/subscriptions/:id', OwnParams, ''],
    ['/customers/:id/services/:subscription_id', CustomerParams, '.of_customer'],
  ] as const)
    for (const method of methods)
      app.route({
        method,
        url: `${prefix}${below}`,
        config: { permission, idempotent },
        schema: {
          ...schema,
          operationId: `${schema.operationId}${suffix}${method === methods[0] ? '' : `.${method.toLowerCase()}`}`,
          params,
          ...(body ? { body } : {}),
        },
        handler: (request, reply) =>
          handler(request, reply, { path: pathOf(request), body: request.body as Static<Body> }),
      });
}

function pathOf(request: FastifyRequest): SubscriptionPath {
  const params = request.params as { id: number; subscription_id?: number };
  return params.subscription_id === undefined
    ? { subscriptionId: params.id, customerId: undefined }
    : { subscriptionId: params.subscription_id, customerId: params.id };
}

// Subscriptions: /subscriptions and /customers/{id}/services.
import { type Api, tenantOf, writing } from '../api.ts';
import { customerOf } from '../customers/queries.ts';
import { read } from '../database/read.ts';
import { write } from '../database/write.ts';
import type { Deps } from '../deps.ts';
import { Empty, Id, IdParams, problems, strict, WriteQuery } from '../fields.ts';
import { withStoredAttributes } from '../reply-attributes/compile.ts';
import { assignAddress, releaseAddress } from './addresses.ts';
import { changeSubscription, lock, move, reactivate, subscribe, suspend, terminate } from './commands.ts';
import {
  AddressBody,
  MoveBody,
  ReactivateBody,
  SubscribeBody,
  SubscriptionChange,
  SubscriptionQuery,
  SubscriptionReply,
  SubscriptionsReply,
  SuspendBody,
  TerminateBody,
} from './contract.ts';
import { requireCheckable } from './credentials.ts';
import { onBothPaths } from './paths.ts';
import { getSubscription, listSubscriptions } from './queries.ts';
import { createWriteAndShow } from './write-and-show.ts';

const tags = ['subscriptions'];
const listProblems = problems('invalid_cursor', 'page_too_deep', 'customer_unknown');
const changed = { 200: SubscriptionReply, ...problems('subscription_unknown', 'subscription_terminated') };

export function subscriptionRoutes(app: Api, { db, keyring, clock, dictionary }: Deps): void {
  const now = () => new Date(clock.nowMs());
  const writeAndShow = createWriteAndShow({ db, clock });

  app.get(
    '/subscriptions',
    {
      config: { permission: 'subscriptions:read' },
      schema: {
        tags,
        operationId: 'subscriptions.list',
        summary: 'List subscriptions; search finds user names, the exact one first',
        querystring: SubscriptionQuery,
        response: { 200: SubscriptionsReply, ...listProblems },
      },
    },
    (request) => read(db, tenantOf(request), (conn) => listSubscriptions(conn, request.query, now())),
  );

  app.get(
    '/customers/:id/services',
    {
      config: { permission: 'subscriptions:read' },
      schema: {
        tags,
        operationId: 'subscriptions.list_of_customer',
        summary: 'List the subscriptions of a customer',
        params: IdParams,
        querystring: SubscriptionQuery,
        response: { 200: SubscriptionsReply, ...listProblems },
      },
    },
    (request) =>
      read(db, tenantOf(request), async (conn) => {
        const customer = await customerOf(conn, request.params.id);
        return listSubscriptions(conn, request.query, now(), customer.id);
      }),
  );

  app.post(
    '/customers/:id/services',
    {
      config: { permission: 'subscriptions:write', idempotent: true },
      schema: {
        tags,
        operationId: 'subscriptions.create',
        summary: 'Sell a service to a customer, with user name and password',
        params: IdParams,
        querystring: WriteQuery,
        body: SubscribeBody,
        response: {
          201: SubscriptionReply,
          ...problems(
            'customer_unknown',
            'service_unknown',
            'service_inactive',
            'user_name_taken',
            'password_scheme_unavailable',
            'address_in_use',
            'attribute_refused',
            'aaa_unavailable',
            'idempotency_key_reused',
          ),
        },
      },
    },
    async (request, reply) => {
      await requireCheckable(request.body.password);
      const body = await withStoredAttributes(dictionary, request.body);
      const made = await writeAndShow(request, (tx) => subscribe(tx, keyring, request.params.id, body));
      return reply.code(201).send(made);
    },
  );

  onBothPaths(app, {
    methods: ['GET'],
    below: '',
    permission: 'subscriptions:read',
    schema: {
      tags,
      operationId: 'subscriptions.get',
      summary: 'One subscription',
      response: { 200: SubscriptionReply, ...problems('subscription_unknown') },
    },
    handler: (request, _, { path }) => read(db, tenantOf(request), (conn) => getSubscription(conn, path, now())),
  });

  onBothPaths(app, {
    methods: ['PATCH', 'PUT'],
    below: '',
    permission: 'subscriptions:write',
    schema: {
      tags,
      operationId: 'subscriptions.update',
      summary: 'Change status, paid_until, meter, user name or password of a subscription',
      querystring: WriteQuery,
      response: {
        200: SubscriptionReply,
        ...problems(
          'subscription_unknown',
          'subscription_terminated',
          'status_refused',
          'meter_since_refused',
          'meter_switched_lately',
          'user_name_taken',
          'attribute_refused',
          'aaa_unavailable',
          'password_scheme_unavailable',
        ),
      },
    },
    body: SubscriptionChange,
    async handler(request, _, { path, body }) {
      await requireCheckable(body.password);
      const change = await withStoredAttributes(dictionary, body);
      return writeAndShow(request, (tx) => changeSubscription(tx, keyring, path, change));
    },
  });

  onBothPaths(app, {
    methods: ['POST', 'PATCH'],
    below: '/suspend',
    permission: 'subscriptions:write',
    schema: {
      tags,
      operationId: 'subscriptions.suspend',
      summary: 'Place a hold; a second one for the same reason changes its end',
      querystring: WriteQuery,
      response: changed,
    },
    body: SuspendBody,
    handler: (request, _, { path, body }) => writeAndShow(request, (tx) => suspend(tx, path, body)),
  });

  onBothPaths(app, {
    methods: ['POST', 'PATCH'],
    below: '/reactivate',
    permission: 'subscriptions:write',
    schema: {
      tags,
      operationId: 'subscriptions.reactivate',
      summary: 'Lift the hold that is named, and no other',
      querystring: WriteQuery,
      response: {
        200: SubscriptionReply,
        ...problems('subscription_unknown', 'subscription_terminated', 'hold_not_standing'),
      },
    },
    body: ReactivateBody,
    handler: (request, _, { path, body }) => writeAndShow(request, (tx) => reactivate(tx, path, body.reason)),
  });

  onBothPaths(app, {
    methods: ['POST'],
    below: '/terminate',
    permission: 'subscriptions:write',
    schema: {
      tags,
      operationId: 'subscriptions.terminate',
      summary: 'End a subscription for good; its addresses become free',
      querystring: WriteQuery,
      response: changed,
    },
    body: TerminateBody,
    handler: (request, _, { path, body }) => writeAndShow(request, (tx) => terminate(tx, path, body.reason)),
  });

  onBothPaths(app, {
    methods: ['POST'],
    below: '/move',
    permission: 'subscriptions:write',
    schema: {
      tags,
      operationId: 'subscriptions.move',
      summary: 'Move to the newest tariff of a service, the same or another',
      querystring: WriteQuery,
      response: {
        200: SubscriptionReply,
        ...problems('subscription_unknown', 'subscription_terminated', 'service_unknown', 'service_inactive'),
      },
    },
    body: MoveBody,
    handler: (request, _, { path, body }) => writeAndShow(request, (tx) => move(tx, path, body.service_id)),
  });

  onBothPaths(app, {
    methods: ['POST'],
    below: '/addresses',
    permission: 'subscriptions:write',
    idempotent: true,
    schema: {
      tags,
      operationId: 'subscriptions.assign_address',
      summary: 'Assign a static address or prefix',
      querystring: WriteQuery,
      response: {
        201: SubscriptionReply,
        ...problems('subscription_unknown', 'subscription_terminated', 'address_in_use', 'idempotency_key_reused'),
      },
    },
    body: AddressBody,
    handler: async (request, reply, { path, body }) => {
      const shown = await writeAndShow(request, async (tx) => {
        const { id } = await lock(tx, path);
        await assignAddress(tx, id, body);
        tx.audit('subscription', id, body);
        return id;
      });
      return reply.code(201).send(shown);
    },
  });

  app.delete(
    '/subscriptions/:id/addresses/:address_id',
    {
      config: { permission: 'subscriptions:write' },
      schema: {
        tags,
        operationId: 'subscriptions.release_address',
        summary: 'Give a static address or prefix back',
        params: strict({ id: Id, address_id: Id }),
        querystring: WriteQuery,
        response: { 204: Empty, ...problems('subscription_unknown', 'subscription_terminated', 'address_unknown') },
      },
    },
    async (request, reply) => {
      const { id, address_id } = request.params;
      await write(db, writing(request), async (tx) => {
        await lock(tx, { subscriptionId: id, customerId: undefined });
        await releaseAddress(tx, id, address_id);
        tx.audit('subscription', id, { address_id });
      });
      return reply.code(204).send(null);
    },
  );
}

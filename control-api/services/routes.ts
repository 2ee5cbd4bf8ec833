// The catalog: /services and /services/internet. A number below /services is always a catalog id.
import Type from 'typebox';
import { type Api, tenantOf, writing } from '../api.ts';
import { read } from '../database/read.ts';
import { write } from '../database/write.ts';
import type { Deps } from '../deps.ts';
import { Id, IdParams, problems, strict, WriteQuery } from '../fields.ts';
import { Problem } from '../problem.ts';
import { withStoredAttributes } from '../reply-attributes/compile.ts';
import { changeInternetService, createInternetService } from './commands.ts';
import { InternetBody, InternetChange, ServiceQuery, ServiceReply, ServicesReply } from './contract.ts';
import { getService, listServices } from './queries.ts';

const tags = ['services'];

/** What saving a tariff can meet. */
const saving = ['service_name_taken', 'speed_policy_missing', 'attribute_refused', 'aaa_unavailable'] as const;

export function serviceRoutes(app: Api, { db, dictionary }: Deps): void {
  app.get(
    '/services',
    {
      config: { permission: 'services:read' },
      schema: {
        tags,
        operationId: 'services.list',
        summary: 'List the catalog',
        querystring: ServiceQuery,
        response: { 200: ServicesReply, ...problems('invalid_cursor', 'page_too_deep') },
      },
    },
    (request) => read(db, tenantOf(request), (conn) => listServices(conn, request.query)),
  );

  app.get(
    '/services/internet',
    {
      config: { permission: 'services:read' },
      schema: {
        tags,
        operationId: 'services.list_internet',
        summary: 'List internet services',
        querystring: ServiceQuery,
        response: { 200: ServicesReply, ...problems('invalid_cursor', 'page_too_deep') },
      },
    },
    (request) => read(db, tenantOf(request), (conn) => listServices(conn, request.query, 'internet')),
  );

  app.post(
    '/services/internet',
    {
      config: { permission: 'services:write', idempotent: true },
      schema: {
        tags,
        operationId: 'services.create_internet',
        summary: 'Add an internet service to the catalog',
        querystring: WriteQuery,
        body: InternetBody,
        response: { 201: ServiceReply, ...problems(...saving, 'idempotency_key_reused') },
      },
    },
    async (request, reply) => {
      const body = await withStoredAttributes(dictionary, request.body);
      const made = await write(db, writing(request), (tx) => createInternetService(tx, body));
      return reply.code(201).send(made);
    },
  );

  app.get(
    '/services/:id',
    {
      config: { permission: 'services:read' },
      schema: {
        tags,
        operationId: 'services.get',
        summary: 'One service of the catalog, with its newest tariff',
        params: IdParams,
        response: { 200: ServiceReply, ...problems('service_unknown') },
      },
    },
    (request) => read(db, tenantOf(request), (conn) => getService(conn, request.params.id)),
  );

  for (const [method, url, operationId] of [
    ['PATCH', '/services/:id', 'services.update'],
    ['PUT', '/services/internet/:id', 'services.update_internet'],
  ] as const)
    app.route({
      method,
      url,
      config: { permission: 'services:write' },
      schema: {
        tags,
        operationId,
        summary: 'Change a service; a changed tariff is a new version, and subscriptions stay on theirs',
        params: IdParams,
        querystring: WriteQuery,
        body: InternetChange,
        response: { 200: ServiceReply, ...problems('service_unknown', ...saving) },
      },
      handler: async (request) => {
        const change = await withStoredAttributes(dictionary, request.body);
        return write(db, writing(request), (tx) => changeInternetService(tx, request.params.id, change));
      },
    });

  // Older guides put the life of a subscription below /services: say where it is.
  app.route({
    method: ['GET', 'POST', 'PATCH'],
    url: '/services/:id/:what',
    config: { permission: 'subscriptions:read' },
    schema: {
      hide: true,
      params: strict({ id: Id, what: Type.String() }),
      response: problems('use_subscription_path'),
    },
    handler: async (request) => {
      const { id, what } = request.params;
      const moved = ['suspend', 'reactivate', 'terminate', 'usage', 'enforcement'].includes(what);
      if (!moved) throw new Problem('not_found', `nothing is served at /services/${id}/${what}`);
      throw new Problem(
        'use_subscription_path',
        `use /api/v1/subscriptions/${id}/${what} with the id of the subscription`,
      );
    },
  });
}

// Home servers: /home-servers.
import { type Api, tenantOf, writing } from '../api.ts';
import { read } from '../database/read.ts';
import { write } from '../database/write.ts';
import type { Deps } from '../deps.ts';
import { Empty, IdParams, problems, WriteQuery } from '../fields.ts';
import { HomeServerBody, HomeServerChange, HomeServerQuery, HomeServerReply, HomeServersReply } from './contract.ts';
import {
  changeHomeServer,
  createHomeServer,
  homeServerOf,
  listHomeServers,
  removeHomeServer,
  showHomeServer,
} from './home-servers.ts';

const tags = ['proxy'];

export function homeServerRoutes(app: Api, deps: Deps): void {
  const { db } = deps;

  app.get(
    '/home-servers',
    {
      config: { permission: 'proxy:read' },
      schema: {
        tags,
        operationId: 'home_servers.list',
        summary: 'List home servers: the RADIUS servers that requests are forwarded to',
        querystring: HomeServerQuery,
        response: { 200: HomeServersReply, ...problems('invalid_cursor', 'page_too_deep') },
      },
    },
    (request) => read(db, tenantOf(request), (conn) => listHomeServers(conn, request.query)),
  );

  app.post(
    '/home-servers',
    {
      config: { permission: 'proxy:write', idempotent: true },
      schema: {
        tags,
        operationId: 'home_servers.create',
        summary: 'Add a home server',
        querystring: WriteQuery,
        body: HomeServerBody,
        response: {
          201: HomeServerReply,
          ...problems('home_server_name_taken', 'home_server_is_ours', 'idempotency_key_reused'),
        },
      },
    },
    async (request, reply) => {
      const made = await write(db, writing(request), (tx) => createHomeServer(tx, deps, request.body));
      return reply.code(201).send(made);
    },
  );

  app.get(
    '/home-servers/:id',
    {
      config: { permission: 'proxy:read' },
      schema: {
        tags,
        operationId: 'home_servers.get',
        summary: 'One home server',
        params: IdParams,
        response: { 200: HomeServerReply, ...problems('home_server_unknown') },
      },
    },
    async (request) =>
      showHomeServer(await read(db, tenantOf(request), (conn) => homeServerOf(conn, request.params.id))),
  );

  app.patch(
    '/home-servers/:id',
    {
      config: { permission: 'proxy:write' },
      schema: {
        tags,
        operationId: 'home_servers.update',
        summary: 'Change a home server; workers use it so within seconds',
        params: IdParams,
        querystring: WriteQuery,
        body: HomeServerChange,
        response: {
          200: HomeServerReply,
          ...problems('home_server_unknown', 'home_server_name_taken', 'home_server_is_ours'),
        },
      },
    },
    (request) => write(db, writing(request), (tx) => changeHomeServer(tx, deps, request.params.id, request.body)),
  );

  app.delete(
    '/home-servers/:id',
    {
      config: { permission: 'proxy:write' },
      schema: {
        tags,
        operationId: 'home_servers.delete',
        summary: 'Remove a home server that no realm and no accounting copy names',
        params: IdParams,
        querystring: WriteQuery,
        response: { 204: Empty, ...problems('home_server_unknown', 'home_server_in_use') },
      },
    },
    async (request, reply) => {
      await write(db, writing(request), (tx) => removeHomeServer(tx, request.params.id));
      return reply.code(204).send(null);
    },
  );
}

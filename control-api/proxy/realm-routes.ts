// Realms: /realms.
import { type Api, tenantOf, writing } from '../api.ts';
import { read } from '../database/read.ts';
import { write } from '../database/write.ts';
import type { Deps } from '../deps.ts';
import { Empty, IdParams, problems, WriteQuery } from '../fields.ts';
import { withAllowed } from './allowed.ts';
import { RealmBody, RealmChange, RealmQuery, RealmRemoval, RealmReply, RealmsReply } from './contract.ts';
import { changeRealm, createRealm, listRealms, realmOf, realmRow, removeRealm } from './realms.ts';

const tags = ['proxy'];

export function realmRoutes(app: Api, deps: Deps): void {
  const { db, dictionary } = deps;

  app.get(
    '/realms',
    {
      config: { permission: 'proxy:read' },
      schema: {
        tags,
        operationId: 'realms.list',
        summary: 'List realms: whose logins and accounting go to which home servers',
        querystring: RealmQuery,
        response: { 200: RealmsReply, ...problems('invalid_cursor', 'page_too_deep') },
      },
    },
    (request) => read(db, tenantOf(request), (conn) => listRealms(conn, request.query)),
  );

  app.post(
    '/realms',
    {
      config: { permission: 'proxy:write', idempotent: true },
      schema: {
        tags,
        operationId: 'realms.create',
        summary: 'Add a realm',
        querystring: WriteQuery,
        body: RealmBody,
        response: {
          201: RealmReply,
          ...problems(
            ...(['realm_name_taken', 'realm_without_home_server', 'reference_unknown', 'attribute_refused'] as const),
            ...(['realm_not_counted', 'realm_takeover_unconfirmed'] as const),
            ...(['aaa_unavailable', 'idempotency_key_reused'] as const),
          ),
        },
      },
    },
    async (request, reply) => {
      const body = await withAllowed(dictionary, request.body);
      const made = await write(db, writing(request), (tx) => createRealm(tx, body, request.query.dry_run === true));
      return reply.code(201).send(made);
    },
  );

  app.get(
    '/realms/:id',
    {
      config: { permission: 'proxy:read' },
      schema: {
        tags,
        operationId: 'realms.get',
        summary: 'One realm',
        params: IdParams,
        response: { 200: RealmReply, ...problems('realm_unknown') },
      },
    },
    (request) => read(db, tenantOf(request), (conn) => realmOf(conn, request.params.id)),
  );

  app.patch(
    '/realms/:id',
    {
      config: { permission: 'proxy:write' },
      schema: {
        tags,
        operationId: 'realms.update',
        summary: 'Change a realm; logins go where it says within seconds',
        params: IdParams,
        querystring: WriteQuery,
        body: RealmChange,
        response: {
          200: RealmReply,
          ...problems(
            ...(['realm_unknown', 'realm_name_taken', 'realm_without_home_server', 'reference_unknown'] as const),
            ...(['realm_not_counted', 'realm_takeover_unconfirmed'] as const),
            ...(['attribute_refused', 'aaa_unavailable'] as const),
          ),
        },
      },
    },
    async (request) => {
      const { id } = request.params;
      await read(db, tenantOf(request), (conn) => realmRow(conn, id));
      const change = await withAllowed(dictionary, request.body);
      return write(db, writing(request), (tx) => changeRealm(tx, id, change, request.query.dry_run === true));
    },
  );

  app.delete(
    '/realms/:id',
    {
      config: { permission: 'proxy:write' },
      schema: {
        tags,
        operationId: 'realms.delete',
        summary: 'Remove a realm: its logins are decided here, or go where DEFAULT says',
        params: IdParams,
        querystring: RealmRemoval,
        response: { 204: Empty, ...problems('realm_unknown', 'realm_takeover_unconfirmed') },
      },
    },
    async (request, reply) => {
      const { confirm_count: count, dry_run: dryRun = false } = request.query;
      await write(db, writing(request), (tx) => removeRealm(tx, request.params.id, { count, dryRun }));
      return reply.code(204).send(null);
    },
  );
}

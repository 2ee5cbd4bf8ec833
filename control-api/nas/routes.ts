// Network access servers: /nas.
import { type Api, tenantOf, writing } from '../api.ts';
import { read } from '../database/read.ts';
import { write } from '../database/write.ts';
import type { Deps } from '../deps.ts';
import { Empty, IdParams, NoBody, problems, WriteQuery } from '../fields.ts';
import { withOperations } from '../nas-operations/beside-nas.ts';
import { withStoredAttributes } from '../reply-attributes/compile.ts';
import { changeNas, createNas, promoteSecret, relearn, removeNas } from './commands.ts';
import { NasBody, NasChange, NasesReply, NasQuery, NasReply } from './contract.ts';
import { oneWithEdge, withEdge } from './edge.ts';
import { listNas, nasOf, showNas } from './queries.ts';
import { rotationRoutes } from './rotation-routes.ts';
import { unknownNasRoutes } from './unknown-routes.ts';

const tags = ['nas'];
const ofCertificate = ['nas_certificate_taken', 'nas_certificate_foreign', 'nas_without_certificate'] as const;

/** What saving speeds and attributes can meet. */
const saving = [
  'nas_address_taken',
  'nas_address_foreign',
  'speed_policy_missing',
  'attribute_refused',
  'aaa_unavailable',
] as const;

export function nasRoutes(app: Api, deps: Deps): void {
  const { db, keyring, dictionary, clock } = deps;
  rotationRoutes(app, deps);
  unknownNasRoutes(app, deps);

  app.get(
    '/nas',
    {
      config: { permission: 'nas:read' },
      schema: {
        tags,
        operationId: 'nas.list',
        summary: 'List network access servers',
        querystring: NasQuery,
        response: { 200: NasesReply, ...problems('invalid_cursor', 'page_too_deep') },
      },
    },
    async (request) => {
      const { data, pagination } = await read(db, tenantOf(request), async (conn) => {
        const found = await listNas(conn, request.query);
        return { ...found, data: await withOperations(conn, found.data, clock.nowMs()) };
      });
      return { data: await withEdge(deps, data), pagination };
    },
  );

  app.post(
    '/nas',
    {
      config: { permission: 'nas:write', idempotent: true },
      schema: {
        tags,
        operationId: 'nas.create',
        summary: 'Add a network access server, or a prefix of them',
        querystring: WriteQuery,
        body: NasBody,
        response: { 201: NasReply, ...problems(...saving, ...ofCertificate, 'idempotency_key_reused') },
      },
    },
    async (request, reply) => {
      const body = await withStoredAttributes(dictionary, request.body);
      const made = await write(db, writing(request), (tx) => createNas(tx, keyring, body));
      return reply.code(201).send(made);
    },
  );

  app.get(
    '/nas/:id',
    {
      config: { permission: 'nas:read' },
      schema: {
        tags,
        operationId: 'nas.get',
        summary: 'One network access server',
        params: IdParams,
        response: { 200: NasReply, ...problems('nas_unknown') },
      },
    },
    async (request) => {
      const [shown] = await read(db, tenantOf(request), async (conn) =>
        withOperations(conn, [showNas(await nasOf(conn, request.params.id))], clock.nowMs()),
      );
      if (!shown) throw new Error('the NAS was found and is not shown');
      return oneWithEdge(deps, shown);
    },
  );

  app.patch(
    '/nas/:id',
    {
      config: { permission: 'nas:write' },
      schema: {
        tags,
        operationId: 'nas.update',
        summary: 'Change a network access server; next_secret starts the rotation of its secret',
        params: IdParams,
        querystring: WriteQuery,
        body: NasChange,
        response: { 200: NasReply, ...problems('nas_unknown', ...saving, ...ofCertificate) },
      },
    },
    async (request) => {
      const { id } = request.params;
      const change = await withStoredAttributes(dictionary, request.body);
      return oneWithEdge(deps, await write(db, writing(request), (tx) => changeNas(tx, keyring, id, change)));
    },
  );

  app.post(
    '/nas/:id/promote-secret',
    {
      config: { permission: 'nas:write' },
      schema: {
        tags,
        operationId: 'nas.promote_secret',
        summary: 'End the rotation whatever the requests say: the next secret becomes the only one',
        params: IdParams,
        querystring: WriteQuery,
        body: NoBody,
        response: { 200: NasReply, ...problems('nas_unknown', 'no_next_secret') },
      },
    },
    async (request) =>
      oneWithEdge(deps, await write(db, writing(request), (tx) => promoteSecret(tx, request.params.id))),
  );

  app.post(
    '/nas/:id/relearn',
    {
      config: { permission: 'nas:write' },
      schema: {
        tags,
        operationId: 'nas.relearn',
        summary: 'Forget what its packets have taught about Message-Authenticator and begin the learning window anew',
        params: IdParams,
        querystring: WriteQuery,
        body: NoBody,
        response: { 200: NasReply, ...problems('nas_unknown') },
      },
    },
    async (request) => oneWithEdge(deps, await write(db, writing(request), (tx) => relearn(tx, request.params.id))),
  );

  app.delete(
    '/nas/:id',
    {
      config: { permission: 'nas:write' },
      schema: {
        tags,
        operationId: 'nas.delete',
        summary: 'Remove a network access server',
        params: IdParams,
        querystring: WriteQuery,
        response: { 204: Empty, ...problems('nas_unknown', 'nas_in_use') },
      },
    },
    async (request, reply) => {
      await write(db, writing(request), (tx) => removeNas(tx, request.params.id));
      return reply.code(204).send(null);
    },
  );
}

// Copies of the accounting: /accounting-copies.
import { type Api, tenantOf, writing } from '../api.ts';
import { read } from '../database/read.ts';
import { write } from '../database/write.ts';
import type { Deps } from '../deps.ts';
import { Empty, IdParams, problems, WriteQuery } from '../fields.ts';
import { CopiesReply, CopyBody, CopyChange, CopyQuery, CopyReply } from './contract.ts';
import { changeCopy, copyOf, createCopy, listCopies, removeCopy } from './copies.ts';

const tags = ['proxy'];

export function copyRoutes(app: Api, deps: Deps): void {
  const { db } = deps;

  app.get(
    '/accounting-copies',
    {
      config: { permission: 'proxy:read' },
      schema: {
        tags,
        operationId: 'accounting_copies.list',
        summary: 'List who else gets the accounting',
        querystring: CopyQuery,
        response: { 200: CopiesReply, ...problems('invalid_cursor', 'page_too_deep') },
      },
    },
    (request) => read(db, tenantOf(request), (conn) => listCopies(conn, request.query)),
  );

  app.post(
    '/accounting-copies',
    {
      config: { permission: 'proxy:write', idempotent: true },
      schema: {
        tags,
        operationId: 'accounting_copies.create',
        summary: 'Send a copy of the accounting to a home server, from now on',
        querystring: WriteQuery,
        body: CopyBody,
        response: {
          201: CopyReply,
          ...problems('accounting_copy_name_taken', 'reference_unknown', 'idempotency_key_reused'),
        },
      },
    },
    async (request, reply) => {
      const made = await write(db, writing(request), (tx) => createCopy(tx, request.body));
      return reply.code(201).send(made);
    },
  );

  app.get(
    '/accounting-copies/:id',
    {
      config: { permission: 'proxy:read' },
      schema: {
        tags,
        operationId: 'accounting_copies.get',
        summary: 'One copy of the accounting',
        params: IdParams,
        response: { 200: CopyReply, ...problems('accounting_copy_unknown') },
      },
    },
    (request) => read(db, tenantOf(request), (conn) => copyOf(conn, request.params.id)),
  );

  app.patch(
    '/accounting-copies/:id',
    {
      config: { permission: 'proxy:write' },
      schema: {
        tags,
        operationId: 'accounting_copies.update',
        summary: 'Change a copy of the accounting; what waits for its server goes to the new one',
        params: IdParams,
        querystring: WriteQuery,
        body: CopyChange,
        response: {
          200: CopyReply,
          ...problems('accounting_copy_unknown', 'accounting_copy_name_taken', 'reference_unknown'),
        },
      },
    },
    (request) => write(db, writing(request), (tx) => changeCopy(tx, request.params.id, request.body)),
  );

  app.delete(
    '/accounting-copies/:id',
    {
      config: { permission: 'proxy:write' },
      schema: {
        tags,
        operationId: 'accounting_copies.delete',
        summary: 'End a copy of the accounting; what still waits for its server is dropped',
        params: IdParams,
        querystring: WriteQuery,
        response: { 204: Empty, ...problems('accounting_copy_unknown') },
      },
    },
    async (request, reply) => {
      await write(db, writing(request), (tx) => removeCopy(tx, request.params.id));
      return reply.code(204).send(null);
    },
  );
}

// Customers: /customers.
import { type Api, tenantOf, writing } from '../api.ts';
import { read } from '../database/read.ts';
import { write } from '../database/write.ts';
import type { Deps } from '../deps.ts';
import { IdParams, problems, WriteQuery } from '../fields.ts';
import { changeCustomer, createCustomer } from './commands.ts';
import { CustomerBody, CustomerChange, CustomerQuery, CustomerReply, CustomersReply } from './contract.ts';
import { customerOf, listCustomers, showCustomer } from './queries.ts';

const tags = ['customers'];

export function customerRoutes(app: Api, { db }: Deps): void {
  app.get(
    '/customers',
    {
      config: { permission: 'customers:read' },
      schema: {
        tags,
        operationId: 'customers.list',
        summary: 'List customers',
        querystring: CustomerQuery,
        response: { 200: CustomersReply, ...problems('invalid_cursor', 'page_too_deep') },
      },
    },
    (request) => read(db, tenantOf(request), (conn) => listCustomers(conn, request.query)),
  );

  app.post(
    '/customers',
    {
      config: { permission: 'customers:write', idempotent: true },
      schema: {
        tags,
        operationId: 'customers.create',
        summary: 'Add a customer',
        querystring: WriteQuery,
        body: CustomerBody,
        response: {
          201: CustomerReply,
          ...problems('account_number_taken', 'reference_unknown', 'idempotency_key_reused'),
        },
      },
    },
    async (request, reply) => {
      const made = await write(db, writing(request), (tx) => createCustomer(tx, request.body));
      return reply.code(201).send(made);
    },
  );

  app.get(
    '/customers/:id',
    {
      config: { permission: 'customers:read' },
      schema: {
        tags,
        operationId: 'customers.get',
        summary: 'One customer',
        params: IdParams,
        response: { 200: CustomerReply, ...problems('customer_unknown') },
      },
    },
    (request) => read(db, tenantOf(request), async (conn) => showCustomer(await customerOf(conn, request.params.id))),
  );

  app.patch(
    '/customers/:id',
    {
      config: { permission: 'customers:write' },
      schema: {
        tags,
        operationId: 'customers.update',
        summary: 'Change a customer; the status decides over the access of all its subscriptions',
        params: IdParams,
        querystring: WriteQuery,
        body: CustomerChange,
        response: { 200: CustomerReply, ...problems('customer_unknown', 'reference_unknown') },
      },
    },
    (request) => write(db, writing(request), (tx) => changeCustomer(tx, request.params.id, request.body)),
  );
}

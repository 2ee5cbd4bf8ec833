// Tenants, for super admins: GET and POST /tenants, PATCH /tenants/{id}.
import type { FastifyRequest } from 'fastify';
import { type Api, callerOf } from '../api.ts';
import { hashPassword } from '../auth/password.ts';
import type { PlatformScope } from '../database/connect.ts';
import { read } from '../database/read.ts';
import { type WriteContext, write } from '../database/write.ts';
import type { Deps } from '../deps.ts';
import { IdParams, problems } from '../fields.ts';
import { changeTenant, createTenant } from './commands.ts';
import { TenantBody, TenantChange, TenantQuery, TenantReply, TenantsReply } from './contract.ts';
import { listTenants } from './queries.ts';

const tags = ['tenants'];
const platform: PlatformScope = { kind: 'platform' };

export function tenantRoutes(app: Api, { db }: Deps): void {
  app.get(
    '/tenants',
    {
      config: { permission: 'tenants:read', platform: true },
      schema: {
        tags,
        operationId: 'tenants.list',
        summary: 'List tenants',
        querystring: TenantQuery,
        response: { 200: TenantsReply, ...problems('invalid_cursor', 'page_too_deep') },
      },
    },
    (request) => read(db, platform, (conn) => listTenants(conn, request.query)),
  );

  app.post(
    '/tenants',
    {
      config: { permission: 'tenants:write', platform: true },
      schema: {
        tags,
        operationId: 'tenants.create',
        summary: 'Make a tenant, with its first admin',
        body: TenantBody,
        response: { 201: TenantReply, ...problems('tenant_slug_taken', 'email_taken') },
      },
    },
    async (request, reply) => {
      const { admin } = request.body;
      const hash = admin && (await hashPassword(admin.password));
      const made = await write(db, context(request), (tx) => createTenant(tx, request.body, hash));
      return reply.code(201).send(made);
    },
  );

  app.patch(
    '/tenants/:id',
    {
      config: { permission: 'tenants:write', platform: true },
      schema: {
        tags,
        operationId: 'tenants.update',
        summary: 'Change a tenant, e.g. its enforcement mode',
        params: IdParams,
        body: TenantChange,
        response: { 200: TenantReply, ...problems('tenant_unknown') },
      },
    },
    (request) => write(db, context(request), (tx) => changeTenant(tx, request.params.id, request.body)),
  );
}

function context(request: FastifyRequest): WriteContext<PlatformScope> {
  return {
    scope: platform,
    userId: callerOf(request).userId,
    requestId: request.id,
    action: request.routeOptions.schema?.operationId ?? '',
  };
}

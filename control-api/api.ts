// The type of the application that domains add their routes to, and what each route and request carries.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest, RawServerDefault } from 'fastify';
import type { TenantScope } from './database/connect.ts';
import type { WriteContext } from './database/write.ts';
import type { Permission, Role } from './permissions.ts';
import { Problem } from './problem.ts';

export type Api = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

export type Caller = {
  readonly userId: number;
  readonly email: string;
  readonly role: Role;
  readonly login: string;
  /** Null on routes that act in no tenant. */
  readonly tenantId: number | null;
};

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call; a route without one stops the process at start. */
    permission?: Permission | 'public' | 'signed_in';
    /** Acts in no tenant: X-Tenant is not asked for. */
    platform?: boolean;
    /** The POST provisions: an Idempotency-Key is honoured. */
    idempotent?: boolean;
  }
  interface FastifyRequest {
    caller: Caller | null;
  }
  interface FastifyInstance {
    /** What is kept of a request under its Idempotency-Key: keyed, since a body may hold passwords and secrets. */
    fingerprint(content: unknown): Buffer;
  }
}

export function callerOf(request: FastifyRequest): Caller {
  if (!request.caller) throw new Problem('unauthenticated', 'sign in first');
  return request.caller;
}

/** The scope of a request in a tenant. */
export function tenantOf(request: FastifyRequest): TenantScope {
  const { tenantId } = callerOf(request);
  if (tenantId === null) throw new Problem('tenant_required', 'say by X-Tenant in which tenant to act');
  return { kind: 'tenant', tenantId };
}

/** The context of a command of this request in its tenant. */
export function writing(request: FastifyRequest): WriteContext<TenantScope> {
  const key = request.headers['idempotency-key'];
  const { schema, config } = request.routeOptions;
  const query = request.query as { dry_run?: boolean } | undefined;
  const dryRun = query?.dry_run === true;
  const content = { params: request.params, body: request.body, dryRun };
  return {
    scope: tenantOf(request),
    userId: callerOf(request).userId,
    requestId: request.id,
    action: schema?.operationId ?? '',
    dryRun,
    idempotency:
      config.idempotent && typeof key === 'string'
        ? { key, fingerprint: request.server.fingerprint(content) }
        : undefined,
  };
}

// Signing in and out: POST /auth/login, /auth/refresh, /auth/logout, GET /auth/me.
import type { FastifyRequest } from 'fastify';
import { type Api, callerOf } from '../api.ts';
import type { PlatformScope } from '../database/connect.ts';
import { read } from '../database/read.ts';
import { type WriteContext, write } from '../database/write.ts';
import type { Deps } from '../deps.ts';
import { Empty, NoBody, problems } from '../fields.ts';
import { permissions, permits } from '../permissions.ts';
import { invalid, Problem } from '../problem.ts';
import { endLogin, openLogin, refreshLogin } from './commands.ts';
import { LoginBody, MeReply, RefreshBody, TokensReply } from './contract.ts';
import { hashPassword, verifyPassword } from './password.ts';
import { userForLogin } from './queries.ts';
import { hashOfToken } from './token.ts';

const tags = ['auth'];
const platform: PlatformScope = { kind: 'platform' };
const perMinute = (max: number) => ({ max, timeWindow: 60_000 });

export function authRoutes(app: Api, { db, clock }: Deps): void {
  const now = () => new Date(clock.nowMs());
  // What an unknown user's password is compared with, so that the answer takes as long as for a known one.
  const nobody = hashPassword('nobody has this password');
  const perAddress = app.createRateLimit({ ...perMinute(60), keyGenerator: (request) => `login ${request.ip}` });

  app.post(
    '/auth/login',
    {
      config: {
        permission: 'public',
        rateLimit: {
          ...perMinute(10),
          hook: 'preHandler',
          keyGenerator: (request) => `${request.ip} ${identifierOf(request)}`,
        },
      },
      schema: {
        tags,
        operationId: 'auth.login',
        summary: 'Sign in with e-mail and password',
        security: [],
        body: LoginBody,
        response: { 200: TokensReply, ...problems('login_failed') },
      },
    },
    async (request) => {
      const { tenant, identifier, email, password } = request.body;
      if ((identifier === undefined) === (email === undefined)) throw invalid('/identifier', 'is required, once');
      const rate = await perAddress(request);
      if (!rate.isAllowed && rate.isExceeded) throw new Problem('too_many_requests', 'too many sign-ins from here');
      const user = await read(db, platform, (conn) => userForLogin(conn, identifierOf(request), tenant));
      const fits = await verifyPassword(password, user?.passwordHash ?? (await nobody));
      if (!user || !fits) throw new Problem('login_failed', 'tenant, identifier and password do not fit together');
      return write(db, context(request, user.id), (tx) => openLogin(tx, user.id, now()));
    },
  );

  app.post(
    '/auth/refresh',
    {
      config: { permission: 'public', rateLimit: perMinute(60) },
      schema: {
        tags,
        operationId: 'auth.refresh',
        summary: 'Exchange a refresh token for new tokens; the old ones end',
        security: [],
        body: RefreshBody,
        response: { 200: TokensReply, ...problems('refresh_failed') },
      },
    },
    async (request) => {
      const hash = hashOfToken(request.body.refresh_token);
      const tokens = await write(db, context(request, null), (tx) => refreshLogin(tx, hash, now()));
      if (!tokens) throw new Problem('refresh_failed', 'sign in again');
      return tokens;
    },
  );

  app.post(
    '/auth/logout',
    {
      config: { permission: 'signed_in' },
      schema: {
        tags,
        operationId: 'auth.logout',
        summary: 'End this sign-in',
        body: NoBody,
        response: { 204: Empty, ...problems() },
      },
    },
    async (request, reply) => {
      const { userId, login } = callerOf(request);
      await write(db, context(request, userId), (tx) => endLogin(tx, login));
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/auth/me',
    {
      config: { permission: 'signed_in' },
      schema: {
        tags,
        operationId: 'auth.me',
        summary: 'Who is signed in and what the role may do',
        response: { 200: MeReply, ...problems() },
      },
    },
    async (request) => {
      const { userId, email, role } = callerOf(request);
      return { id: userId, email, role, permissions: permissions.filter((permission) => permits(role, permission)) };
    },
  );
}

function context(request: FastifyRequest, userId: number | null): WriteContext<PlatformScope> {
  return { scope: platform, userId, requestId: request.id, action: request.routeOptions.schema?.operationId ?? '' };
}

function identifierOf(request: FastifyRequest): string {
  const { identifier, email } = request.body as { identifier?: string; email?: string };
  return (identifier ?? email ?? '').trim().toLowerCase();
}

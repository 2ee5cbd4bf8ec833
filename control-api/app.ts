// Builds the application: plugins in their order, then the domains. Nothing listens yet.
import { createHmac } from 'node:crypto';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import fastify, { type FastifyBaseLogger, LogController } from 'fastify';
import type { ReadyCheck } from '#ops/runtime/admin.ts';
import type { Logger } from '#ops/runtime/log.ts';
import type { Registry } from '#ops/runtime/metrics.ts';
import { aaaRoutes } from './aaa/routes.ts';
import type { Api } from './api.ts';
import { authRoutes } from './auth/routes.ts';
import { customerRoutes } from './customers/routes.ts';
import type { Deps } from './deps.ts';
import { deviceUserRoutes } from './device-users/routes.ts';
import { deviceRoutes } from './devices/routes.ts';
import { enforcementRoutes } from './enforcement/routes.ts';
import { exporterRoutes } from './exporters/routes.ts';
import { feedGuardRoutes } from './feed-guard/routes.ts';
import { flowRoutes } from './flows/routes.ts';
import { nasRoutes } from './nas/routes.ts';
import { nasOperationRoutes } from './nas-operations/routes.ts';
import { access } from './plugins/access.ts';
import { health } from './plugins/health.ts';
import { openapi } from './plugins/openapi.ts';
import { answer, problemReplies } from './plugins/problems.ts';
import { routeRules } from './plugins/route-rules.ts';
import { validation } from './plugins/validation.ts';
import { poolRoutes } from './pools/routes.ts';
import { Problem } from './problem.ts';
import { copyRoutes } from './proxy/copy-routes.ts';
import { homeServerRoutes } from './proxy/home-server-routes.ts';
import { realmRoutes } from './proxy/realm-routes.ts';
import { serviceRoutes } from './services/routes.ts';
import { sessionRoutes } from './sessions/routes.ts';
import { speedPolicyRoutes } from './speed-policies/routes.ts';
import { credentialRoutes } from './subscriptions/credential-routes.ts';
import { subscriptionRoutes } from './subscriptions/routes.ts';
import { systemRoutes } from './system/routes.ts';
import { tenantRoutes } from './tenants/routes.ts';
import { usageRoutes } from './usage/routes.ts';
import { webRoutes } from './web/routes.ts';

export type AppOptions = {
  readonly log: Logger;
  readonly registry: Registry;
  readonly ready: readonly ReadyCheck[];
  readonly version: string;
  /** Proxies whose X-Forwarded-For names the client. */
  readonly trustProxy: readonly string[];
};

const requestsPerMinute = 6000;

export async function buildApp(deps: Deps, options: AppOptions): Promise<Api> {
  const { log, registry, ready, version, trustProxy } = options;
  const logger: FastifyBaseLogger = log.child({ component: 'http' });
  const app: Api = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 256 * 1024,
    trustProxy: trustProxy.length > 0 ? [...trustProxy] : false,
    genReqId: () => crypto.randomUUID(),
    forceCloseConnections: 'idle',
    frameworkErrors: (error, request, reply) => answer(error, request, reply),
  });
  app.removeContentTypeParser('text/plain');
  const key = deps.keyring.derive('idempotency');
  app.decorate('fingerprint', (content: unknown) => createHmac('sha256', key).update(JSON.stringify(content)).digest());

  routeRules(app);
  problemReplies(app);
  validation(app);
  await app.register(helmet);
  await app.register(rateLimit, {
    max: requestsPerMinute,
    timeWindow: 60_000,
    errorResponseBuilder: (_, { after }) => new Problem('too_many_requests', `try again in ${after}`),
  });
  access(app, deps);
  health(app, registry, ready);
  await openapi(app, version);

  webRoutes(app);
  await app.register(
    async (api: Api) => {
      authRoutes(api, deps);
      tenantRoutes(api, deps);
      nasRoutes(api, deps);
      nasOperationRoutes(api, deps);
      poolRoutes(api, deps);
      homeServerRoutes(api, deps);
      realmRoutes(api, deps);
      copyRoutes(api, deps);
      speedPolicyRoutes(api, deps);
      customerRoutes(api, deps);
      serviceRoutes(api, deps);
      subscriptionRoutes(api, deps);
      deviceRoutes(api, deps);
      deviceUserRoutes(api, deps);
      credentialRoutes(api, deps);
      sessionRoutes(api, deps);
      usageRoutes(api, deps);
      enforcementRoutes(api, deps);
      feedGuardRoutes(api, deps);
      exporterRoutes(api, deps);
      flowRoutes(api, deps);
      aaaRoutes(api, deps);
      systemRoutes(api, deps, options);
    },
    { prefix: '/api/v1' },
  );
  await app.ready();
  return app;
}

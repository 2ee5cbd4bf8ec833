// /metrics, /healthz (alive) and /readyz (dependencies) of control-api, and the measure of its requests.
import { type ReadyCheck, readiness, registerReadiness } from '#ops/runtime/admin.ts';
import { Histogram, type Registry } from '#ops/runtime/metrics.ts';
import type { Api } from '../api.ts';

export function health(app: Api, registry: Registry, ready: readonly ReadyCheck[]): void {
  const durations = new Histogram({
    name: 'lastmile_http_request_duration_seconds',
    help: 'Time from the request to the end of its reply',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
    registers: [registry],
  });
  registerReadiness(registry, ready);
  app.addHook('onResponse', async (request, reply) => {
    const route = request.is404 ? 'unknown' : (request.routeOptions.url ?? 'unknown');
    durations.observe({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1000);
  });

  const open = { config: { permission: 'public', rateLimit: false }, schema: { hide: true } } as const;
  app.get('/healthz', open, async () => ({ status: 'alive' }));
  app.get('/metrics', open, async (_, reply) => reply.type(registry.contentType).send(await registry.metrics()));
  app.get('/readyz', open, async (_, reply) => {
    const state = await readiness(ready);
    return reply.code(state.ok ? 200 : 503).send(state);
  });
}

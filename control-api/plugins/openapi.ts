// The OpenAPI document at /api/v1/openapi.json and the reference page at /api/docs.
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { Api } from '../api.ts';

export async function openapi(app: Api, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Lastmile',
        version,
        description:
          'The API of the ISP operating system. Errors are problem+json (RFC 9457) with a stable `code`. ' +
          'A super admin names the tenant to act in by the header `X-Tenant`.',
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
    transform: ({ schema, url, route }) => {
      const headers = route.config?.idempotent ? { headers: idempotencyHeader } : {};
      return { schema: { ...schema, ...headers }, url };
    },
  });
  app.get(
    '/api/v1/openapi.json',
    { config: { permission: 'public', rateLimit: false }, schema: { hide: true } },
    async () => app.swagger(),
  );
  await app.register(async (scope) => {
    scope.addHook('onRoute', (route) => {
      route.config = { ...route.config, permission: 'public', rateLimit: false };
      route.schema = { ...route.schema, hide: true };
    });
    await scope.register(swaggerUi, { routePrefix: '/api/docs', staticCSP: true, uiConfig: { docExpansion: 'none' } });
  });
}

const idempotencyHeader = {
  type: 'object',
  properties: {
    'Idempotency-Key': {
      type: 'string',
      maxLength: 255,
      description: 'repeating the request with the same key gives the first answer again',
    },
  },
};

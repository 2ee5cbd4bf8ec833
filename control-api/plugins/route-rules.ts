// Refuses to start with a route that does not declare its permission, inputs, replies and documentation.
import type { RouteOptions } from 'fastify';
import type { Api } from '../api.ts';

export function routeRules(app: Api): void {
  const routes: RouteOptions[] = [];
  app.addHook('onRoute', (route) => {
    routes.push(route);
  });
  app.addHook('onReady', async () => {
    const offences = routes.flatMap(offencesOf);
    if (offences.length > 0) throw new Error(`routes are incomplete:\n${offences.join('\n')}`);
  });
}

function offencesOf(route: RouteOptions): string[] {
  const { schema, config, url } = route;
  const methods = [route.method].flat();
  const missing: string[] = [];
  if (!config?.permission) missing.push('a permission');
  if (!schema?.hide) {
    if (!schema?.response) missing.push('its replies');
    if (!schema?.tags) missing.push('tags');
    if (!schema?.summary) missing.push('a summary');
    if (!schema?.operationId) missing.push('an operation id');
    if (url.includes('/:') && !schema?.params) missing.push('its path parameters');
    if (methods.some((method) => ['POST', 'PUT', 'PATCH'].includes(method)) && !schema?.body) missing.push('its body');
  }
  return missing.map((what) => `${methods.join(',')} ${url} does not declare ${what}`);
}

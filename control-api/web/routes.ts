// The page at /: static files that read the API like any other client. Signing in gives them their rights.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Api } from '../api.ts';

const files = {
  '/': { file: 'page.html', type: 'text/html; charset=utf-8' },
  '/page.css': { file: 'page.css', type: 'text/css; charset=utf-8' },
  '/page.js': { file: 'page.js', type: 'text/javascript; charset=utf-8' },
} as const;

/** Everything from here, nothing inline. No upgrade to HTTPS: without a certificate the page must still work. */
const contentSecurityPolicy =
  "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

export function webRoutes(app: Api): void {
  for (const [url, { file, type }] of Object.entries(files)) {
    const content = readFileSync(path.join(import.meta.dirname, file));
    app.get(url, { config: { permission: 'public' }, schema: { hide: true } }, async (_, reply) =>
      reply
        .type(type)
        .header('cache-control', 'no-cache')
        .header('content-security-policy', contentSecurityPolicy)
        .send(content),
    );
  }
}

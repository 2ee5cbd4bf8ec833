// The admin port of a process: /metrics, /healthz (alive), /readyz (dependencies), and what the process adds.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Gauge, type Registry } from 'prom-client';
import { messageOf } from './errors.ts';
import type { Part } from './lifecycle.ts';

/** One dependency: null when it is fine, else the sentence that says what is wrong and what to do. */
export type ReadyCheck = {
  name: string;
  check(): Promise<string | null> | string | null;
  /** Told, but no reason to be taken out of service. */
  advisory?: boolean;
};

export type AdminHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void> | void;

export type AdminOptions = {
  host: string;
  port: number;
  registry: Registry;
  ready: readonly ReadyCheck[];
  /** Further paths, e.g. '/sessions'. Authorisation is theirs. */
  routes?: Readonly<Record<string, AdminHandler>>;
};

/** The answers of every check; `ok` only when none complains, but for those that only tell. */
export async function readiness(
  checks: readonly ReadyCheck[],
): Promise<{ ok: boolean; checks: Record<string, 'ok' | string> }> {
  const entries = await Promise.all(
    checks.map(async ({ name, check, advisory = false }) => {
      try {
        return { name, advisory, answer: (await check()) ?? 'ok' };
      } catch (error) {
        return { name, advisory, answer: messageOf(error) };
      }
    }),
  );
  return {
    ok: entries.every(({ advisory, answer }) => advisory || answer === 'ok'),
    checks: Object.fromEntries(entries.map(({ name, answer }) => [name, answer])),
  };
}

/** No check holds a scrape up for longer: it counts as failed then. */
const scrapeCheckMs = 3000;

/** The checks of /readyz as a metric, made when it is asked for. */
export function registerReadiness(registry: Registry, checks: readonly ReadyCheck[]): void {
  const inTime = checks.map(
    ({ name, check }): ReadyCheck => ({
      name,
      async check() {
        const late = Promise.withResolvers<string>();
        const timer = setTimeout(late.resolve, scrapeCheckMs, 'no answer in time');
        try {
          return await Promise.race([check(), late.promise]);
        } finally {
          clearTimeout(timer);
        }
      },
    }),
  );
  new Gauge({
    name: 'lastmile_ready',
    help: '1 while the check of /readyz passes, 0 while it says what is wrong',
    labelNames: ['check'],
    registers: [registry],
    async collect() {
      const state = await readiness(inTime);
      for (const [check, answer] of Object.entries(state.checks)) this.set({ check }, answer === 'ok' ? 1 : 0);
    },
  });
}

export function createAdminServer(options: AdminOptions): Part & { port(): number } {
  let server: Server | undefined;
  registerReadiness(options.registry, options.ready);

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    if (path === '/healthz') return reply(response, 200, 'application/json', '{"status":"alive"}');
    if (path === '/metrics') {
      return reply(response, 200, options.registry.contentType, await options.registry.metrics());
    }
    if (path === '/readyz') {
      const state = await readiness(options.ready);
      return reply(response, state.ok ? 200 : 503, 'application/json', JSON.stringify(state));
    }
    const route = options.routes?.[path];
    if (route) return route(request, response);
    reply(response, 404, 'text/plain', 'not found\n');
  }

  return {
    name: 'admin port',
    port: () => {
      const address = server?.address();
      return typeof address === 'object' && address ? address.port : options.port;
    },
    start: () =>
      new Promise((resolve, reject) => {
        server = createServer((request, response) => {
          Promise.resolve(handle(request, response)).catch((error) => {
            if (response.headersSent) response.destroy();
            else reply(response, 500, 'text/plain', `${messageOf(error)}\n`);
          });
        });
        server.once('error', reject);
        server.listen(options.port, options.host, resolve);
      }),
    stop: () =>
      new Promise((resolve) => {
        if (!server) return resolve();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function reply(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type });
  response.end(body);
}

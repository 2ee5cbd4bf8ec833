// The HTTP listeners: one application on every address of BIND_HOST.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Api } from './api.ts';

export function createHttpPart(app: Api, hosts: readonly string[], port: number): Part & { port(): number } {
  const servers: Server[] = [];

  return {
    name: 'http',
    stopTimeoutMs: 10_000,
    port: () => (servers[0]?.address() as AddressInfo | null)?.port ?? port,
    async start() {
      for (const host of hosts) {
        const server = createServer((request, response) => app.routing(request, response));
        server.requestTimeout = 60_000;
        servers.push(server);
        await new Promise<void>((resolve, reject) => {
          server.once('error', reject);
          server.listen(port, host, resolve);
        });
      }
    },
    async stop() {
      await Promise.all(
        servers.map(
          (server) =>
            new Promise<void>((resolve) => {
              server.close(() => resolve());
              server.closeIdleConnections();
            }),
        ),
      );
      await app.close();
    },
  };
}

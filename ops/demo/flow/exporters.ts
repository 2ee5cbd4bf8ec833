// The routers of a run, each exporting from its own loopback address.
import { createSocket, type Socket } from 'node:dgram';
import { type Random, wholeBetween } from '../random.ts';
import { createRouter, type Router, type RouterCounts } from './router.ts';

export type ExportersOptions = {
  readonly addresses: readonly string[];
  readonly to: { readonly host: string; readonly port: number };
  readonly lostShare: number;
  readonly random: Random;
  nowMs(): number;
  failed(error: Error): void;
};

export type Exporters = {
  router(place: number): Router;
  /** Over all routers. */
  counts(): RouterCounts;
  start(): Promise<void>;
  /** Every router sends its template alone. */
  announce(): void;
  stop(): Promise<void>;
};

export function createExporters({ addresses, to, failed, ...options }: ExportersOptions): Exporters {
  const sockets: Socket[] = [];
  // Of its own in every run: sequence numbers and templates of an earlier one are another's.
  const firstSource = wholeBetween(options.random, 1, 2 ** 24) * 256;
  const routers = addresses.map((_, place) =>
    createRouter({
      ...options,
      sourceId: firstSource + place,
      send: (datagram) => sockets[place]?.send(datagram, to.port, to.host),
    }),
  );

  return {
    router(place) {
      const router = routers[place];
      if (!router) throw new Error(`there is no router ${place}`);
      return router;
    },
    counts() {
      const sum = (key: keyof RouterCounts) => routers.reduce((total, { counts }) => total + counts[key], 0);
      return { datagrams: sum('datagrams'), records: sum('records'), lost: sum('lost') };
    },
    announce() {
      for (const router of routers) router.announce();
    },
    async start() {
      for (const address of addresses) {
        const socket = createSocket('udp4');
        await new Promise<void>((resolve, reject) => {
          socket.once('error', reject);
          socket.bind({ address, port: 0, exclusive: true }, () => {
            socket.off('error', reject);
            resolve();
          });
        });
        socket.on('error', failed);
        sockets.push(socket);
      }
    },
    async stop() {
      await Promise.all(sockets.splice(0).map((socket) => new Promise<void>((done) => socket.close(done))));
    },
  };
}

// The loopback addresses of a run: 127.0.N.1 … for access servers, 127.0.N.101 … for routers, in a network that nobody uses.
import { createSocket } from 'node:dgram';
import { BlockList } from 'node:net';
import { codeOf } from '#ops/runtime/errors.ts';

export type Places = { readonly servers: readonly string[]; readonly routers: readonly string[] };

const perServer = 50;
const fewest = 2;
const most = 8;
const firstRouter = 101;
const networks = 50;

export function serverCount(subscribers: number): number {
  return Math.min(most, Math.max(fewest, Math.ceil(subscribers / perServer)));
}

/** One router for two access servers. */
export function routerOf(serverPlace: number): number {
  return Math.floor(serverPlace / 2);
}

/**
 * @param others addresses and prefixes of other access servers in the database: what comes from there is not the demo's
 * @throws when there is no such network, as when a server listens on the CoA port of every address.
 */
export async function findPlaces(servers: number, coaPort: number, others: readonly string[]): Promise<Places> {
  const foreign = new BlockList();
  for (const prefix of others) {
    const [address = '', length = '32'] = prefix.split('/');
    foreign.addSubnet(address, Number(length), 'ipv4');
  }
  for (let network = 1; network <= networks; network++) {
    const places: Places = {
      servers: Array.from({ length: servers }, (_, place) => `127.0.${network}.${place + 1}`),
      routers: Array.from(
        { length: routerOf(servers - 1) + 1 },
        (_, place) => `127.0.${network}.${firstRouter + place}`,
      ),
    };
    if ([...places.servers, ...places.routers].some((address) => foreign.check(address))) continue;
    const free = await Promise.all(places.servers.map((address) => isFree(address, coaPort)));
    if (free.every((each) => each)) return places;
  }
  throw new Error(`no loopback network is free for the access servers: who listens on UDP port ${coaPort}?`);
}

function isFree(address: string, port: number): Promise<boolean> {
  const socket = createSocket('udp4');
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close();
      if (codeOf(error) === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    socket.bind({ address, port, exclusive: true }, () => socket.close(() => resolve(true)));
  });
}

// The sockets of one RADIUS worker, in front of its handler.
import type { Part } from '#ops/runtime/lifecycle.ts';
import { openUdp, type UdpBatch, type UdpDriver, type UdpListener } from '#ops/runtime/udp.ts';
import type { Counters } from '../counters.ts';
import type { RadiusHandler } from './handler.ts';
import type { HandedOver, RadiusDeps, RadiusPort } from './request.ts';

export type HandedSets = Readonly<Record<RadiusPort, readonly (readonly number[])[]>>;

export type RadiusServerOptions = {
  readonly addresses: readonly string[];
  /** 0: one the system chooses. */
  readonly authPort: number;
  readonly acctPort: number;
  /** Sockets that are bound already, by port: one list for each set of addresses. Empty: new ones are opened. */
  readonly handed?: HandedSets | undefined;
  readonly udpDriver: UdpDriver;
  readonly receiveBufferBytes: number;
  readonly handler: RadiusHandler;
  readonly counters: Counters;
  readonly warn: RadiusDeps['warn'];
  /** A socket died. */
  onFatal(error: Error): void;
};

export type RadiusServer = Part & {
  /** Handles what another worker of this node received. */
  receive(datagram: HandedOver): void;
  /** After `start`. */
  bound(): { readonly authPort: number; readonly acctPort: number; readonly udpDriver: string };
};

export function createRadiusServer(options: RadiusServerOptions): RadiusServer {
  const { addresses, udpDriver, receiveBufferBytes, handler, counters, warn, onFatal } = options;
  const listeners: Record<RadiusPort, UdpListener[]> = { auth: [], acct: [] };
  const all = () => [...listeners.auth, ...listeners.acct];

  const warned = new Set<string>();
  const warnOnce: RadiusDeps['warn'] = (message, fields) => {
    if (!warned.has(message)) warn(message, fields);
    warned.add(message);
  };

  async function listen(radiusPort: RadiusPort, port: number): Promise<void> {
    // Sockets of one address and port have one index: a repeated request may come to either.
    const base = radiusPort === 'auth' ? 0 : addresses.length;
    const sets = options.handed?.[radiusPort] ?? [];
    for (const handed of sets.length > 0 ? sets : [undefined]) await open(radiusPort, port, base, handed);
  }

  async function open(radiusPort: RadiusPort, port: number, base: number, handed?: readonly number[]): Promise<void> {
    const listener = await openUdp({
      driver: udpDriver,
      addresses,
      port,
      reusePort: true,
      handed,
      receiveBufferBytes,
      gathers: true,
      onBatch: (batch, socket) => handler.handleBatch(radiusPort, batch, socket, base + socket.index),
      count: (event) => counters.count('udp', event),
      warn: warnOnce,
      onFatal,
    });
    listeners[radiusPort].push(listener);
  }

  return {
    name: 'radius server',
    async start() {
      await listen('auth', options.authPort);
      await listen('acct', options.acctPort);
    },
    async stop() {
      for (const listener of all()) listener.stopReceiving();
      await handler.drain();
      await Promise.all(all().map((listener) => listener.stop()));
    },
    receive({ data, peer, socketIndex }) {
      const socket = listeners.auth[0]?.sockets[socketIndex];
      if (!socket) return;
      const batch: UdpBatch = {
        count: 1,
        data: [Buffer.from(data.buffer, data.byteOffset, data.byteLength)],
        starts: [0],
        lengths: [data.length],
        peers: [peer],
        reply: (_, octets, start, length) => socket.send(peer, octets, start, length),
      };
      handler.handleBatch('auth', batch, socket, socketIndex);
    },
    bound() {
      const auth = listeners.auth[0];
      const acct = listeners.acct[0];
      const authPort = auth?.sockets[0]?.port;
      const acctPort = acct?.sockets[0]?.port;
      if (!auth || authPort === undefined || acctPort === undefined) throw new Error('the sockets are not bound yet');
      return { authPort, acctPort, udpDriver: auth.driver };
    },
  };
}

// The sockets of one RADIUS worker, in front of its handler.
import type { Part } from '#ops/runtime/lifecycle.ts';
import { openUdp, type UdpBatch, type UdpDriver, type UdpListener } from '#ops/runtime/udp.ts';
import type { Counters } from '../counters.ts';
import type { RadiusHandler } from './handler.ts';
import type { HandedOver, RadiusDeps, RadiusPort } from './request.ts';

export type RadiusServerOptions = {
  readonly addresses: readonly string[];
  /** 0: one the system chooses. */
  readonly authPort: number;
  readonly acctPort: number;
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
  const listeners: UdpListener[] = [];

  const warned = new Set<string>();
  const warnOnce: RadiusDeps['warn'] = (message, fields) => {
    if (!warned.has(message)) warn(message, fields);
    warned.add(message);
  };

  async function listen(radiusPort: RadiusPort, port: number): Promise<void> {
    const base = listeners.length * addresses.length;
    const listener = await openUdp({
      driver: udpDriver,
      addresses,
      port,
      reusePort: true,
      receiveBufferBytes,
      onBatch: (batch, socket) => handler.handleBatch(radiusPort, batch, socket, base + socket.index),
      count: (event) => counters.count('udp', event),
      warn: warnOnce,
      onFatal,
    });
    listeners.push(listener);
  }

  return {
    name: 'radius server',
    async start() {
      await listen('auth', options.authPort);
      await listen('acct', options.acctPort);
    },
    async stop() {
      for (const listener of listeners) listener.stopReceiving();
      await handler.drain();
      await Promise.all(listeners.map((listener) => listener.stop()));
    },
    receive({ data, peer, socketIndex }) {
      const socket = listeners[0]?.sockets[socketIndex];
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
      const [auth, acct] = listeners;
      const authPort = auth?.sockets[0]?.port;
      const acctPort = acct?.sockets[0]?.port;
      if (!auth || authPort === undefined || acctPort === undefined) throw new Error('the sockets are not bound yet');
      return { authPort, acctPort, udpDriver: auth.driver };
    },
  };
}

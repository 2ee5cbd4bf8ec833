// The sockets of one worker, in front of its receiver.
import type { Part } from '#ops/runtime/lifecycle.ts';
import { openUdp, type UdpDriver, type UdpEvent, type UdpListener } from '#ops/runtime/udp.ts';
import { type Counters, counterPlaces } from '../counters.ts';
import type { Receiver } from './receiver.ts';

export type FlowServerOptions = {
  readonly addresses: readonly string[];
  /** 0: one the system chooses. */
  readonly port: number;
  readonly udpDriver: UdpDriver;
  /** Sockets that are bound already, one list for each set of addresses; missing or empty: new ones are opened. */
  readonly handed?: readonly (readonly number[])[] | undefined;
  readonly receiveBufferBytes: number;
  readonly receiver: Receiver;
  readonly counters: Counters;
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
  /** A socket died. */
  onFatal(error: Error): void;
};

export type FlowServer = Part & {
  /** After `start`. */
  bound(): { readonly port: number; readonly udpDriver: string };
};

export function createFlowServer(options: FlowServerOptions): FlowServer {
  const { receiver, counters } = options;
  const listeners: UdpListener[] = [];

  async function open(handed?: readonly number[]): Promise<void> {
    const listener = await openUdp({
      driver: options.udpDriver,
      addresses: options.addresses,
      port: options.port,
      reusePort: true,
      handed,
      receiveBufferBytes: options.receiveBufferBytes,
      onBatch: (batch) => receiver.handleBatch(batch),
      count: (event: UdpEvent) => counters.add(counterPlaces.offset('udp', event), 1),
      warn: options.warn,
      onFatal: options.onFatal,
    });
    listeners.push(listener);
  }

  return {
    name: 'flow server',
    async start() {
      const sets = options.handed ?? [];
      for (const handed of sets.length > 0 ? sets : [undefined]) await open(handed);
    },
    async stop() {
      for (const listener of listeners) listener.stopReceiving();
      receiver.flush();
      await Promise.all(listeners.map((listener) => listener.stop()));
    },
    bound() {
      const [listener] = listeners;
      const port = listener?.sockets[0]?.port;
      if (!listener || port === undefined) throw new Error('the sockets are not bound yet');
      return { port, udpDriver: listener.driver };
    },
  };
}

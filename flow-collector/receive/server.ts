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
  let listener: UdpListener | undefined;

  return {
    name: 'flow server',
    async start() {
      listener = await openUdp({
        driver: options.udpDriver,
        addresses: options.addresses,
        port: options.port,
        reusePort: true,
        receiveBufferBytes: options.receiveBufferBytes,
        onBatch: (batch) => receiver.handleBatch(batch),
        count: (event: UdpEvent) => counters.add(counterPlaces.offset('udp', event), 1),
        warn: options.warn,
        onFatal: options.onFatal,
      });
    },
    async stop() {
      listener?.stopReceiving();
      receiver.flush();
      await listener?.stop();
    },
    bound() {
      const port = listener?.sockets[0]?.port;
      if (!listener || port === undefined) throw new Error('the sockets are not bound yet');
      return { port, udpDriver: listener.driver };
    },
  };
}

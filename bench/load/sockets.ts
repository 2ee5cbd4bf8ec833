// The generator's sockets, each a source port of its own.
import { openUdp, type Peer } from '#ops/runtime/udp.ts';

export type LoadSockets = {
  /** Leaves with all others of this turn of the event loop. */
  send(socket: number, data: Buffer, start: number, end: number): void;
  close(): Promise<void>;
};

const loopback = '127.0.0.1';
const receiveBufferBytes = 4 * 1024 * 1024;

/** By the batched calls of the servers' own driver: a generator that costs less than what it measures hides less of it. */
export async function openSockets(
  count: number,
  port: number,
  onReply: (socket: number, reply: Buffer) => void,
): Promise<LoadSockets> {
  const server: Peer = { address: loopback, port };
  const open = (index: number) =>
    openUdp({
      ...{ driver: 'auto', addresses: [loopback], port: 0, reusePort: false, receiveBufferBytes },
      onBatch({ count: received, data, starts, lengths, peers }) {
        for (let i = 0; i < received; i++) {
          const start = starts[i] ?? 0;
          if (peers[i]?.port === port) onReply(index, data[i]?.subarray(start, start + (lengths[i] ?? 0)) as Buffer);
        }
      },
      // What could not leave is a request without an answer, and repeated.
      count: () => undefined,
      warn: (message) => console.error(message),
      onFatal(error) {
        throw error;
      },
    });
  const listeners = await Promise.all(Array.from({ length: count }, (_, index) => open(index)));
  const sockets = listeners.map(({ sockets: [socket] }) => socket);
  return {
    send: (socket, data, start, end) => sockets[socket]?.send(server, data, start, end - start),
    close: async () => {
      await Promise.all(listeners.map((listener) => listener.stop()));
    },
  };
}

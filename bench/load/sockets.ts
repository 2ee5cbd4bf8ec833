// The generator's sockets, each a source port of its own, connected to the server.
import { createSocket } from 'node:dgram';

export type LoadSockets = {
  send(socket: number, data: Buffer, start: number, end: number): void;
  close(): Promise<void>;
};

const bufferBytes = 4 * 1024 * 1024;

/** Connected sockets look up no address when they send, and take replies from nobody else. */
export async function openSockets(
  count: number,
  port: number,
  onReply: (socket: number, reply: Buffer) => void,
): Promise<LoadSockets> {
  const sockets = Array.from({ length: count }, () =>
    createSocket({ type: 'udp4', recvBufferSize: bufferBytes, sendBufferSize: bufferBytes }),
  );
  for (const [index, socket] of sockets.entries()) {
    await new Promise<void>((resolve) => socket.connect(port, '127.0.0.1', resolve));
    // Refused while the server is not there: the request counts as unanswered.
    socket.on('error', () => undefined);
    socket.on('message', (reply) => onReply(index, reply));
  }
  return {
    send: (socket, data, start, end) => sockets[socket]?.send(data.subarray(start, end)),
    close: async () => {
      await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))));
    },
  };
}

// The sockets of a simulated access server on its own loopback address: RADIUS client ports and the CoA port, through the weather.
import { createSocket, type Socket } from 'node:dgram';
import type { Network } from '../radius/weather.ts';

export type RadiusServerAddress = { readonly host: string; readonly authPort: number; readonly acctPort: number };

export type SocketsOptions = {
  readonly address: string;
  readonly coaPort: number;
  readonly server: RadiusServerAddress;
  readonly network: Network;
  receive(kind: 'auth' | 'acct', datagram: Buffer): void;
  answerTo(datagram: Buffer): Buffer | undefined;
  /** A socket failed. */
  failed(error: Error): void;
};

export type NasSockets = {
  /** Calls back when it leaves. */
  send(kind: 'auth' | 'acct', datagram: Buffer, left: () => void): void;
  close(): Promise<void>;
};

/** @throws EADDRINUSE when somebody has the CoA port of the address. */
export async function openSockets(options: SocketsOptions): Promise<NasSockets> {
  const { address, coaPort, server, network, receive, answerTo, failed } = options;
  const coa = await bind(address, coaPort);
  const sockets = { auth: await bind(address, 0), acct: await bind(address, 0) };
  const all: readonly Socket[] = [coa, sockets.auth, sockets.acct];
  let closed = false;

  for (const socket of all) socket.on('error', failed);
  for (const kind of ['auth', 'acct'] as const) {
    sockets[kind].on('message', (datagram) => network.pass(() => receive(kind, datagram)));
  }
  coa.on('message', (datagram, from) => {
    const answer = answerTo(datagram);
    if (answer) coa.send(answer, from.port, from.address);
  });

  return {
    send(kind, datagram, left) {
      const port = kind === 'auth' ? server.authPort : server.acctPort;
      network.pass(() => {
        if (closed) return;
        left();
        sockets[kind].send(datagram, port, server.host);
      });
    },
    async close() {
      closed = true;
      await Promise.all(all.map((socket) => new Promise<void>((done) => socket.close(done))));
    },
  };
}

function bind(address: string, port: number): Promise<Socket> {
  const socket = createSocket('udp4');
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

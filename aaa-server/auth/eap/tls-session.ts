// One TLS handshake and tunnel without a socket: octets of the peer go in, octets for the peer come out (RFC 5246, RFC 8446).
import { AsyncLocalStorage } from 'node:async_hooks';
import { constants } from 'node:crypto';
import { Duplex } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createSecureContext, createServer, TLSSocket, type TlsOptions } from 'node:tls';
import { crlsOf } from '#ops/pki/crl.ts';
import type { TlsIdentity } from '#ops/runtime/eap-identity.ts';

export type TlsTurn = {
  /** For the peer. */
  readonly output: Buffer;
  /** What the peer said inside the tunnel. */
  readonly plain: Buffer;
  readonly established: boolean;
  /** Why the tunnel is broken; `output` then ends with the alert. */
  readonly error: Error | undefined;
};

/** A certificate that `ca` vouches for: its common name and alternative names. */
export type PeerNames = { readonly commonName: string; readonly names: readonly string[] };

export type TlsSession = {
  /** Takes a whole message of the peer. */
  receive(message: Buffer): Promise<TlsTurn>;
  /** Says something inside the tunnel; what is to be sent for it. */
  say(plain: Buffer): Promise<Buffer>;
  /** TLS 1.3. */
  isVersion13(): boolean;
  /** RFC 5705. */
  exportKey(length: number, label: string, context?: Buffer): Buffer;
  /** Undefined when there is no certificate or nobody vouches for it. */
  peerNames(): PeerNames | undefined;
  close(): void;
};

/** Turns of the event loop without anything happening after which TLS waits for the peer: it never takes two to go on. */
const quietTurns = 4;

/** What sessions of one identity have in common: reading certificates, key and revocations takes longer than the rest. */
export type TlsBasis = {
  /** Takes a stream as the connection of a peer. */
  accept(wire: Duplex, heard: Heard): void;
};

type Heard = { opened(socket: TLSSocket): void; failed(error: Error): void };

const limits = {
  minVersion: 'TLSv1.2',
  // A resumed session would pass by what the tunnel asks for; a renegotiated one could change whose certificate it is.
  secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
} as const;

export function createTlsBasis(identity: TlsIdentity, requestCertificate: boolean): TlsBasis {
  const { cert, key, ca, crl } = identity;
  if (requestCertificate) {
    const revoked = crl === '' ? {} : { crl: crlsOf(crl) };
    return acceptCertified({
      ...{ cert, key, ca, ...revoked, ...limits },
      requestCert: true,
      rejectUnauthorized: false,
    });
  }
  const secureContext = createSecureContext({ cert, key, ...limits });
  return {
    accept(wire, { opened, failed }) {
      const socket = new TLSSocket(wire, { isServer: true, secureContext });
      socket.on('error', failed);
      socket.on('secure', () => opened(socket));
    },
  };
}

/** A server that listens nowhere takes the streams as connections: it alone tells whether a certificate is good. */
function acceptCertified(options: TlsOptions): TlsBasis {
  // It does not tell of which stream a connection is; what happens to one happens in the context in which it was taken.
  const whose = new AsyncLocalStorage<Heard>();
  const server = createServer(options);
  server.on('tlsClientError', (error) => whose.getStore()?.failed(error));
  server.on('secureConnection', (socket) => {
    const heard = whose.getStore();
    if (!heard) return socket.destroy();
    socket.on('error', heard.failed);
    heard.opened(socket);
  });
  return { accept: (wire, heard) => whose.run(heard, () => server.emit('connection', wire)) };
}

export function createTlsSession(basis: TlsBasis): TlsSession {
  const outgoing: Buffer[] = [];
  const incoming: Buffer[] = [];
  let activity = 0;
  let error: Error | undefined;
  let tunnel: TLSSocket | undefined;
  let names: PeerNames | undefined;

  const failed = (cause: Error) => {
    error ??= cause;
    activity++;
  };
  const wire = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      outgoing.push(chunk);
      activity++;
      done();
    },
  });
  wire.on('error', failed);
  const opened = (socket: TLSSocket) => {
    tunnel = socket;
    // Once, of the handshake that opened it.
    names = namesOf(socket);
    activity++;
    socket.on('data', (chunk: Buffer) => {
      incoming.push(chunk);
      activity++;
    });
    for (const event of ['end', 'close']) socket.on(event, () => failed(new Error('the tunnel is closed')));
  };
  basis.accept(wire, { opened, failed });

  async function settle(): Promise<void> {
    for (let quiet = 0, seen = activity; quiet < quietTurns; quiet++) {
      await nextTurn();
      if (activity !== seen) quiet = 0;
      seen = activity;
    }
  }

  const taken = (chunks: Buffer[]) => Buffer.concat(chunks.splice(0));

  return {
    async receive(message) {
      if (!error) {
        wire.push(message);
        await settle();
      }
      return { output: taken(outgoing), plain: taken(incoming), established: tunnel !== undefined, error };
    },
    async say(plain) {
      tunnel?.write(plain);
      await settle();
      return taken(outgoing);
    },
    isVersion13: () => tunnel?.getProtocol() === 'TLSv1.3',
    exportKey(length, label, context) {
      if (!tunnel) throw new Error('there is no tunnel yet');
      return tunnel.exportKeyingMaterial(length, label, context as Buffer);
    },
    peerNames: () => names,
    close() {
      tunnel?.destroy();
      wire.destroy();
    },
  };
}

function namesOf(socket: TLSSocket): PeerNames | undefined {
  const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined;
  if (!certificate) return undefined;
  const commonName = /^CN=(.*)$/m.exec(certificate.subject)?.[1] ?? '';
  return { commonName, names: [commonName, ...alternativeNames(certificate.subjectAltName ?? '')] };
}

/** Names of hosts and mailboxes in the text that Node makes of a subjectAltName; one with a comma is quoted there, and left out here. */
function alternativeNames(text: string): string[] {
  return text.split(', ').flatMap((part) => /^(?:DNS|email):([^"]+)$/.exec(part)?.[1] ?? []);
}

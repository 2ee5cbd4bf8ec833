// One TLS handshake and tunnel without a socket: octets of the peer go in, octets for the peer come out (RFC 5246, RFC 8446).
import { constants } from 'node:crypto';
import { Duplex } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createSecureContext, createServer, type SecureContext, TLSSocket } from 'node:tls';
import { crlsOf } from '#ops/pki/crl.ts';
import type { TlsIdentity } from '#ops/runtime/eap-settings.ts';

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

/** What sessions of one identity have in common: reading certificates and key takes longer than the rest. */
export type TlsBasis = {
  readonly identity: TlsIdentity;
  readonly context: SecureContext;
  readonly requestCertificate: boolean;
};

const limits = {
  minVersion: 'TLSv1.2',
  // A resumed session would pass by what the tunnel asks for; a renegotiated one could change whose certificate it is.
  secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
} as const;

export function createTlsBasis(identity: TlsIdentity, requestCertificate: boolean): TlsBasis {
  const { cert, key } = identity;
  return { identity, context: createSecureContext({ cert, key, ...limits }), requestCertificate };
}

export function createTlsSession({ identity, context, requestCertificate }: TlsBasis): TlsSession {
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
  if (requestCertificate) {
    // A server that listens nowhere takes the stream as a connection: it alone tells whether the certificate is good.
    const { cert, key, ca, crl } = identity;
    const revoked = crl === '' ? {} : { crl: crlsOf(crl) };
    const server = createServer({
      ...{ cert, key, ca, ...revoked, ...limits },
      requestCert: true,
      rejectUnauthorized: false,
    });
    server.on('tlsClientError', failed);
    server.on('secureConnection', (socket) => {
      socket.on('error', failed);
      opened(socket);
    });
    server.emit('connection', wire);
  } else {
    const socket = new TLSSocket(wire, { isServer: true, secureContext: context });
    socket.on('error', failed);
    socket.on('secure', () => opened(socket));
  }

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

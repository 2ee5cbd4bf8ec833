// The TLS listener of one RADIUS worker (RFC 6614): who may connect, how many, and what becomes of a handshake.
import { constants } from 'node:crypto';
import { createServer as createTcpServer, type ListenOptions, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type SecureContextOptions, type TLSSocket } from 'node:tls';
import type { Clock } from '#ops/runtime/clock.ts';
import { codeOf } from '#ops/runtime/errors.ts';
import type { Part } from '#ops/runtime/lifecycle.ts';
import { Gauge, type Registry } from '#ops/runtime/metrics.ts';
import type { Peer } from '#ops/runtime/udp.ts';
import type { Counters, CounterValue } from '../counters.ts';
import type { RadiusHandler } from '../radius/handler.ts';
import { createOncePer } from '../radius/once-per.ts';
import type { RadiusDeps } from '../radius/request.ts';
import type { SnapshotReader } from '../subscribers/records.ts';
import { openConnection, type RadsecConnection } from './connection.ts';
import { createIdentityTable, type IdentityTable, namesOf } from './identity.ts';
import type { RadsecOrder, RadsecSettings, RadsecWords, TlsMaterial } from './protocol.ts';

export type RadsecServerOptions = RadsecSettings & {
  readonly addresses: readonly string[];
  /** Other workers listen on the same port; the kernel spreads connections over them. */
  readonly reusePort: boolean;
  /** Sockets that listen already, one list for each set of addresses; missing: new ones are opened. */
  readonly handedRadsec?: readonly (readonly number[])[] | undefined;
  readonly handler: Pick<RadiusHandler, 'handlePacket' | 'waiting'>;
  readonly snapshot: Pick<SnapshotReader, 'nasGeneration' | 'nasList'>;
  readonly counters: Counters;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly warn: RadiusDeps['warn'];
  tell(words: RadsecWords): void;
  /** A listener died. */
  onFatal(error: Error): void;
};

export type RadsecServer = Part & {
  /** After `start`; the one the system chose when 0 was asked. */
  port(): number;
  /** Takes no connection and no packet any more; what was taken is answered until `stop`. */
  stopReceiving(): void;
  order(order: RadsecOrder): void;
};

type Refusal = CounterValue<'radsecRefused'>;

const sweepMs = 1000;
/** Below that of the connections of this worker, far above those of UDP sockets. */
const socketIndexOfOthers = 254;
/** For the last answers to leave, when the worker stops. */
const lastWordsMs = 1000;

export function createRadsecServer(options: RadsecServerOptions): RadsecServer {
  const { addresses, limits, handler, snapshot, counters, clock, version11, tell } = options;
  const once = createOncePer(10_000, clock);
  const open = new Int32Array(options.open);
  const perAddress = new Map<string, number>();
  const connections = new Map<number, RadsecConnection>();
  const listeners: Server[] = [];
  const accepted = new Set<Socket>();
  /** Those whose handshake is not over, by their ends. */
  const handshaking = new Map<string, Socket>();
  let lastConnection = 0;
  let timer: NodeJS.Timeout | undefined;
  let table: IdentityTable = createIdentityTable([]);
  let generation = Number.NaN;

  new Gauge({
    name: 'lastmile_radsec_connections',
    help: 'RadSec connections whose access server is known',
    registers: [options.registry],
    collect() {
      this.set(connections.size);
    },
  });

  const tls = createTlsServer({
    ...contextOf(options.material),
    requestCert: true,
    // Looked at below, so that each refusal is counted with its reason; no octet is read before that.
    rejectUnauthorized: false,
    handshakeTimeout: limits.handshakeMs,
    ALPNProtocols: version11 ? ['radius/1.1', 'radius/1.0'] : ['radius/1.0'],
  });
  tls.on('secureConnection', greet);
  tls.on('tlsClientError', (error, socket) => {
    refuse(socket, handshakeRefusal(codeOf(error)));
  });

  function identities(): IdentityTable {
    const newest = snapshot.nasGeneration();
    if (newest !== generation) {
      generation = newest;
      table = createIdentityTable(snapshot.nasList());
    }
    return table;
  }

  function refuse(socket: Socket, reason: Refusal): void {
    counters.count('radsecRefused', reason);
    socket.destroy();
  }

  /** Counts a connection before anything is spent on it, until it is closed. */
  function accept(socket: Socket) {
    const address = plain(socket.remoteAddress ?? '');
    const ofAddress = perAddress.get(address) ?? 0;
    if (ofAddress >= limits.perAddress) return refuse(socket, 'too_many_of_address');
    if (Atomics.add(open, 0, 1) >= limits.connections) {
      Atomics.sub(open, 0, 1);
      return refuse(socket, 'too_many_connections');
    }
    perAddress.set(address, ofAddress + 1);
    const ends = endsOf(socket);
    accepted.add(socket);
    handshaking.set(ends, socket);
    socket.once('close', () => {
      accepted.delete(socket);
      if (handshaking.get(ends) === socket) handshaking.delete(ends);
      Atomics.sub(open, 0, 1);
      const left = (perAddress.get(address) ?? 1) - 1;
      if (left > 0) perAddress.set(address, left);
      else perAddress.delete(address);
    });
    tls.emit('connection', socket);
  }

  function greet(socket: TLSSocket) {
    handshaking.delete(endsOf(socket));
    const certificate = socket.getPeerX509Certificate();
    if (!certificate) return refuse(socket, 'no_certificate');
    if (!socket.authorized) return refuse(socket, certificateRefusal(String(socket.authorizationError)));
    const is11 = socket.alpnProtocol === 'radius/1.1';
    // RFC 9765 §3.4: without TLS 1.3 there is no RADIUS/1.1.
    if (is11 && socket.getProtocol() !== 'TLSv1.3') return refuse(socket, 'tls_version');
    const names = namesOf(certificate);
    const address = plain(socket.remoteAddress ?? '');
    if (identities().clientsOf(names).length === 0) {
      if (once('unknown')) {
        const identities = names.flat().join(' ');
        options.warn('a RadSec certificate belongs to no access server', { address, identities });
      }
      return refuse(socket, 'unknown_nas');
    }
    const connection = ++lastConnection;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);
    counters.count('radsecEvents', is11 ? 'opened_radius_1_1' : 'opened');
    // The port names the connection among the requests: it is new, where that of a peer that comes again may not be.
    const peer = { address, port: connection % 65_536 };
    let ended = false;
    const opened = openConnection({
      ...{ socket, peer, names, version11: is11, limits, handler, counters, clock, identities },
      onNases(nasIds) {
        if (nasIds.length === 0) {
          ended = true;
          connections.delete(connection);
        }
        tell({ type: 'radsec_connection', connection, nasIds });
      },
      onAnswer: (data) => tell({ type: 'radsec_answer', connection, data }),
      onHandOver: (to, handed) => tell({ type: 'radsec_hand_over', to, connection, peer, ...handed }),
    });
    if (!ended) connections.set(connection, opened);
  }

  /** Answers what another worker received, for its connection there. */
  function answerFor({
    from,
    connection,
    turn,
    nasId,
    peer,
    data,
  }: RadsecOrder & { type: 'radsec_handed_over' }): void {
    const send = (_: Peer, answer: Buffer, start: number, length: number) => {
      const copy = Uint8Array.from(answer.subarray(start, start + length));
      tell({ type: 'radsec_hand_back', to: from, connection, turn, data: copy });
    };
    const octets = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    handler.handlePacket('auth', octets, 0, octets.length, {
      ...{ peer, socket: { send }, clientOf: () => identities().withId(nasId) },
      // Connections of other workers have numbers of their own.
      socketIndex: socketIndexOfOthers - from,
    });
  }

  function listen(place: ListenOptions | { fd: number }): Promise<void> {
    const server = createTcpServer({ noDelay: true }, accept);
    listeners.push(server);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(place, () => {
        server.off('error', reject);
        server.on('error', options.onFatal);
        resolve();
      });
    });
  }

  let closed: Promise<unknown> | undefined;
  function stopReceiving(): void {
    closed ??= Promise.all(listeners.map((server) => new Promise((resolve) => server.close(resolve))));
    retireAll('stopped');
  }

  const retireAll = (reason: 'stopped' | 'recheck') => {
    for (const connection of [...connections.values()]) connection.retire(reason);
  };

  function port(): number {
    const address = listeners[0]?.address();
    if (typeof address !== 'object' || !address) throw new Error('RadSec does not listen yet');
    return address.port;
  }

  return {
    name: 'radsec server',
    port,
    async start() {
      const handed = options.handedRadsec?.flat() ?? [];
      for (const fd of handed) await listen({ fd });
      for (const host of handed.length > 0 ? [] : addresses) {
        const { reusePort } = options;
        const own = listeners.length === 0 ? options.port : port();
        await listen({ host, port: own, reusePort, ipv6Only: host.includes(':') });
      }
      timer = setInterval(() => {
        for (const connection of [...connections.values()]) connection.sweep();
      }, sweepMs);
    },
    stopReceiving,
    async stop() {
      stopReceiving();
      clearInterval(timer);
      for (const connection of [...connections.values()]) connection.close('stopped');
      const deadline = setTimeout(() => {
        for (const socket of [...accepted]) socket.destroy();
      }, lastWordsMs);
      await closed;
      clearTimeout(deadline);
    },
    order(order) {
      switch (order.type) {
        case 'radsec_material':
          tls.setSecureContext(contextOf(order.material));
          if (!order.recheck) return;
          retireAll('recheck');
          // Their certificates are being looked at by the former rules.
          for (const socket of handshaking.values()) socket.destroy();
          return;
        case 'radsec_send':
          connections.get(order.connection)?.send(Buffer.from(order.data));
          return;
        case 'radsec_handed_over':
          return answerFor(order);
        case 'radsec_handed_back':
          connections.get(order.connection)?.handedBack(order.turn, Buffer.from(order.data));
          return;
        case 'radsec_distrust':
          connections.get(order.connection)?.close('bad_coa_answer');
          return;
        default:
          order satisfies never;
      }
    },
  };
}

function contextOf({ cert, key, ca, crls }: TlsMaterial): SecureContextOptions {
  return {
    ...{ cert, key, ca, ...(crls.length > 0 ? { crl: [...crls] } : {}) },
    minVersion: 'TLSv1.2',
    // A resumed session would pass by what was taken back since.
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
  };
}

function handshakeRefusal(code: string): Refusal {
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return 'handshake_timeout';
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'handshake_broken_off';
  return 'handshake_failed';
}

function certificateRefusal(code: string): Refusal {
  if (code === 'CERT_HAS_EXPIRED') return 'certificate_expired';
  if (code === 'CERT_REVOKED') return 'certificate_revoked';
  return code.includes('CRL') ? 'crl_unusable' : 'certificate_untrusted';
}

/** The same for a connection and for the TLS on it. */
function endsOf({ localAddress, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${remoteAddress} ${remotePort}`;
}

/** IPv4 dotted, also on a dual-stack socket. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}

// One RadSec connection after its handshake: packets in, answers out, and every reason to end it (RFC 6614, RFC 6613 §2.6).
import type { TLSSocket } from 'node:tls';
import type { Clock } from '#ops/runtime/clock.ts';
import type { Peer } from '#ops/runtime/udp.ts';
import { deviceOf, type NasClient } from '../auth/nas-table.ts';
import type { Counters, CounterValue, DropReason } from '../counters.ts';
import type { RadiusHandler } from '../radius/handler.ts';
import type { RadiusLink } from '../radius/request.ts';
import { code, malformedReasons, octet } from '../wire/packet.ts';
import { createFrames } from './frames.ts';
import type { CertificateNames, IdentityTable } from './identity.ts';
import type { HandedOver, RadsecLimits } from './protocol.ts';
import { createVersion11 } from './version-1-1.ts';

export type CloseReason = CounterValue<'radsecClosed'>;

export type RadsecConnection = {
  /** Looks at the clock and at who the peer is now; called every second. */
  sweep(): void;
  /** Takes nothing more, and ends when what was taken is answered. */
  retire(reason: CloseReason): void;
  close(reason: CloseReason): void;
  /** A request of ours, on its way to the access server. */
  send(request: Buffer): void;
  /** The answer of another worker to a request that it was given. */
  handedBack(turn: number, answer: Buffer): void;
};

export type ConnectionOptions = {
  readonly socket: TLSSocket;
  readonly peer: Peer;
  readonly names: CertificateNames;
  readonly version11: boolean;
  readonly limits: RadsecLimits;
  readonly handler: Pick<RadiusHandler, 'handlePacket' | 'waiting'>;
  readonly counters: Counters;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** The same object until a NAS changes. */
  identities(): IdentityTable;
  /** Who stands behind the connection, at its begin and when it changes; nobody at its end. */
  onNases(nasIds: readonly number[]): void;
  /** A copy of a packet that answers a request of ours. */
  onAnswer(packet: Buffer): void;
  /** An Access-Request that worker `to` has to answer, by `handedBack`. */
  onHandOver(to: number, handed: Omit<HandedOver, 'connection' | 'peer'>): void;
};

/** Tells the requests of connections from those of UDP sockets, which are numbered from 0. */
const socketIndex = 255;
/** So many requests on their way to the disk, and senders that can be held back are. */
const mostWaiting = 10_000;
const retireMs = 5000;
/** Requests given to other workers that may still be answered. */
const mostHandedOver = 1024;
const answers: ReadonlySet<number> = new Set([code.disconnectAck, code.disconnectNak, code.coaAck, code.coaNak]);
/** The stream or its maker is not what it should be: nothing that follows can be trusted (RFC 6613 §2.6.4). */
const fatal: ReadonlySet<DropReason> = new Set([
  ...malformedReasons,
  'bad_request_authenticator',
  'bad_message_authenticator',
] as const);

export function openConnection(options: ConnectionOptions): RadsecConnection {
  const { socket, peer, names, limits, handler, counters, clock } = options;
  const version = options.version11 ? createVersion11() : undefined;
  /** Identifiers whose requests were taken and not answered. */
  const unanswered = new Set<number>();
  /** How the answers of other workers go back, by turn. */
  const elsewhere = new Map<number, (answer: Buffer) => void>();
  let lastTurn = 0;
  let table = options.identities();
  let clients: readonly NasClient[] = table.clientsOf(names);
  let lastPacketMs = clock.monotonicMs();
  let begunMs: number | null = null;
  let retiring: { readonly reason: CloseReason; readonly untilMs: number } | null = null;
  let closed = false;

  function close(reason: CloseReason): void {
    if (closed) return;
    closed = true;
    counters.count('radsecClosed', reason);
    socket.destroy();
    options.onNases([]);
  }

  function write(data: Buffer, start: number, length: number): void {
    if (closed || !socket.writable) {
      counters.count('radsecEvents', 'answer_too_late');
      return;
    }
    socket.write(Buffer.from(data.subarray(start, start + length)));
    if (socket.writableLength > limits.unreadBytes) close('not_reading');
  }

  /** Who sends, by the certificate as the records are now. */
  function current(): readonly NasClient[] {
    const newest = options.identities();
    if (newest === table) return clients;
    table = newest;
    const before = clients;
    clients = table.clientsOf(names);
    if (clients.length === 0) close('nas_gone');
    else if (idsOf(before).join() !== idsOf(clients).join()) options.onNases(idsOf(clients));
    return clients;
  }

  function link(reply: (data: Buffer, start: number, length: number) => void): RadiusLink {
    const send = (data: Buffer, start: number, length: number) => {
      // Of RADIUS/1.0 until here, so the identifier is there in both versions.
      unanswered.delete(octet(data, start + 1));
      reply(data, start, length);
      if (retiring && unanswered.size === 0) finish();
    };
    return {
      peer,
      socketIndex,
      socket: { send: (_peer, data, start, length) => send(data, start, length) },
      clientOf: (identifier) => deviceOf(current(), identifier),
      handOver(to, data, { record }) {
        const turn = ++lastTurn;
        elsewhere.delete(turn - mostHandedOver);
        elsewhere.set(turn, (answer) => send(answer, 0, answer.length));
        options.onHandOver(to, { turn, nasId: record.id, data });
      },
    };
  }
  const classicLink = link(write);

  function serve(data: Buffer, start: number, length: number) {
    const type = octet(data, start);
    if (answers.has(type)) {
      const answer = version
        ? version.incoming(data, start, length)
        : Buffer.from(data.subarray(start, start + length));
      if (answer) options.onAnswer(answer);
      else counters.count('radsecEvents', 'stray_answer');
      return;
    }
    const port = type === code.accountingRequest ? 'acct' : 'auth';
    if (!version) return handle(port, data, start, length, classicLink);
    const translated = version.request(data, start, length);
    if (!translated) return close('not_translatable');
    const back = link((reply, from, size) => {
      const answer = translated.reply(reply, from, size);
      if (answer) write(answer, 0, answer.length);
      else counters.count('radsecEvents', 'reply_not_translatable');
    });
    handle(port, translated.data, 0, translated.data.length, back);
  }

  function handle(port: 'auth' | 'acct', data: Buffer, start: number, length: number, back: RadiusLink): void {
    const identifier = octet(data, start + 1);
    unanswered.add(identifier);
    const reason = handler.handlePacket(port, data, start, length, back);
    if (!reason) return;
    unanswered.delete(identifier);
    if (isFatal(reason)) close(reason);
  }

  const frames = createFrames((data, start, length) => {
    lastPacketMs = clock.monotonicMs();
    begunMs = null;
    serve(data, start, length);
    return !closed && !retiring;
  });

  function finish(): void {
    if (closed || !retiring) return;
    const { reason } = retiring;
    closed = true;
    counters.count('radsecClosed', reason);
    options.onNases([]);
    // What was written leaves first. What still comes is read and dropped: closing with unread octets would reset the answers away.
    socket.end();
    socket.resume();
    setTimeout(() => socket.destroy(), retireMs).unref();
  }

  socket.on('data', (chunk: Buffer) => {
    if (closed || retiring) return;
    // The answers to what came together leave together.
    socket.cork();
    const fault = frames.push(chunk);
    socket.uncork();
    if (fault) return close(fault);
    if (!frames.unfinished()) begunMs = null;
    else begunMs ??= clock.monotonicMs();
    if (handler.waiting() > mostWaiting) socket.pause();
  });
  socket.on('end', () => close(frames.unfinished() ? 'cut_off' : 'peer'));
  socket.on('error', () => close(frames.unfinished() ? 'cut_off' : 'connection_error'));
  socket.on('close', () => close(frames.unfinished() ? 'cut_off' : 'connection_error'));
  options.onNases(idsOf(clients));

  return {
    close,
    retire(reason) {
      if (closed || retiring) return;
      retiring = { reason, untilMs: clock.monotonicMs() + retireMs };
      socket.pause();
      if (unanswered.size === 0) finish();
    },
    sweep() {
      const nowMs = clock.monotonicMs();
      current();
      if (retiring && nowMs >= retiring.untilMs) finish();
      else if (begunMs !== null && nowMs - begunMs > limits.packetMs) close('packet_timeout');
      else if (nowMs - lastPacketMs > limits.idleMs) close('idle');
      else if (socket.isPaused() && !retiring && handler.waiting() <= mostWaiting) socket.resume();
    },
    handedBack(turn, answer) {
      elsewhere.get(turn)?.(answer);
      elsewhere.delete(turn);
    },
    send(request) {
      const data = version ? version.outgoing(request) : request;
      if (data) write(data, 0, data.length);
    },
  };
}

function idsOf(clients: readonly NasClient[]): readonly number[] {
  return clients.map(({ record }) => record.id);
}

function isFatal(reason: DropReason): reason is DropReason & CloseReason {
  return fatal.has(reason);
}

// Takes RADIUS packets apart and gives each to what answers it: everything of a worker but its sockets and its thread, so that tests drive it with buffers.
import type { UdpBatch, UdpSocket } from '#ops/runtime/udp.ts';
import { createNasTable, type NasTable } from '../auth/nas-table.ts';
import type { DropReason } from '../counters.ts';
import { attribute, textOf } from '../wire/attributes.ts';
import { code, decodePacket } from '../wire/packet.ts';
import { createAccess } from './access.ts';
import { createAccounting } from './accounting.ts';
import { createAnswers } from './answers.ts';
import { createBatchChecks } from './batch-checks.ts';
import type { DuplicatesOptions } from './duplicates.ts';
import { makerOf } from './maker.ts';
import { createNasActivities, type NasActivity } from './nas-activity.ts';
import { createOncePer } from './once-per.ts';
import type { RadiusDeps, RadiusLink, RadiusPort, RadiusRequest } from './request.ts';
import { createUnknownClients, type UnknownReport } from './unknown-clients.ts';

export type RadiusHandler = {
  handleBatch(port: RadiusPort, batch: UdpBatch, socket: UdpSocket, socketIndex: number): void;
  unknownClients(): UnknownReport;
  /** One packet of a link, in memory that is only lent; the reason why it gets no answer (counted), or null. */
  handlePacket(port: RadiusPort, data: Buffer, start: number, length: number, link: RadiusLink): DropReason | null;
  /** Requests that wait for the disk: whoever can hold its sender back does so while they are many. */
  waiting(): number;
  nasActivities(): NasActivity[];
  /** Logins whose decision is awaited. */
  deciding(): number;
  /** Logins that take several rounds and are likely to go on. */
  conversing(): number;
  /** What was answered lately, for the handler that goes on with the same sockets. */
  recentAnswers(): Buffer;
  recall(recentAnswers: Buffer): void;
  /** Sends waiting rejects at once and settles when every login and accounting record in progress is answered or given up. */
  drain(): Promise<void>;
};

/** How often the NAS table is compared with the snapshot. */
const nasCheckMs = 100;

export function createRadiusHandler(received: RadiusDeps, duplicatesOptions: DuplicatesOptions = {}): RadiusHandler {
  const once = createOncePer(10_000, received.clock);
  const deps: RadiusDeps = {
    ...received,
    warn: (message, fields) => once(message) && received.warn(message, fields),
  };
  const { snapshot, keyring, clock, counters } = deps;
  const answers = createAnswers(counters, duplicatesOptions);
  const access = createAccess(deps, answers);
  const accounting = createAccounting(deps, answers);
  const unknown = createUnknownClients();
  const activities = createNasActivities();
  const checks = createBatchChecks();
  /** Those of the batch that is being handled. */
  const taken: RadiusRequest[] = [];
  let table: NasTable = createNasTable([], keyring);
  let tableGeneration = Number.NaN;
  let tableCheckedMs = Number.NEGATIVE_INFINITY;

  function nasTable(nowMs: number): NasTable {
    if (nowMs - tableCheckedMs < nasCheckMs) return table;
    tableCheckedMs = nowMs;
    const generation = snapshot.nasGeneration();
    if (generation === tableGeneration) return table;
    const records = snapshot.nasList();
    table = createNasTable(records, keyring, deps.trust);
    activities.keep(records);
    tableGeneration = generation;
    for (const problem of table.problems) deps.warn(problem, {});
    return table;
  }

  /** A packet of a batch with its sender, or why it gets no answer. */
  function take(
    batch: UdpBatch,
    i: number,
    socket: UdpSocket,
    socketIndex: number,
    startedMs: number,
    receivedAtMs: number,
  ): RadiusRequest | DropReason {
    const data = batch.data[i];
    const peer = batch.peers[i];
    if (!data || !peer) throw new Error(`the batch has no datagram ${i}`);
    const packet = decodePacket(data, batch.starts[i], batch.lengths[i]);
    if (!packet.ok) return packet.reason;
    const client = nasTable(startedMs).find(peer.address, () => textOf(packet, attribute.nasIdentifier));
    if (!client) {
      unknown.note(peer.address, receivedAtMs, () => textOf(packet, attribute.nasIdentifier));
      return 'unknown_client';
    }
    return {
      packet,
      client,
      activity: activities.of(client.record.id),
      peer,
      socket,
      socketIndex,
      startedMs,
      receivedAtMs,
      check: checks.of(packet, client),
      answeredWith: 'batch',
      reply: (reply, start, length) => batch.reply(i, reply, start, length),
    };
  }

  /** Like every function below: why the packet gets no answer, or null. */
  function handleLinked(
    port: RadiusPort,
    data: Buffer,
    start: number,
    length: number,
    link: RadiusLink,
  ): DropReason | null {
    const packet = decodePacket(data, start, length);
    if (!packet.ok) return packet.reason;
    const { peer, socket, socketIndex } = link;
    const client = link.clientOf(() => textOf(packet, attribute.nasIdentifier));
    if (!client) return 'unknown_client';
    return serve(port, {
      ...{ packet, client, peer, socket, socketIndex },
      activity: link.activity ?? activities.of(client.record.id),
      startedMs: clock.monotonicMs(),
      receivedAtMs: clock.nowMs(),
      answeredWith: null,
      reply: (reply, from, size) => socket.send(peer, reply, from, size),
      ...(link.handOver ? { handOver: link.handOver } : {}),
    });
  }

  function serve(port: RadiusPort, request: RadiusRequest): DropReason | null {
    const reason = answer(port, request);
    if (reason) request.activity.dropped++;
    return reason;
  }

  function answer(port: RadiusPort, request: RadiusRequest): DropReason | null {
    const { packet } = request;
    if (packet.code === code.statusServer) return answerStatus(port, request);
    if (packet.code === code.accessRequest && port === 'auth') return access.handle(request);
    if (packet.code === code.accountingRequest && port === 'acct') return accounting.handle(request);
    return 'unexpected_code';
  }

  /** RFC 5997. */
  function answerStatus(port: RadiusPort, request: RadiusRequest): DropReason | null {
    counters.count('requests', 'status');
    request.activity.status++;
    const verified = makerOf(request);
    if (!verified.ok) return verified.reason;
    // A server that cannot decide logins is not there for the watchdog either.
    if (port === 'auth' && !snapshot.complete()) return 'snapshot_incomplete';
    if (!verified.secret) return 'message_authenticator_required_by_status_server';
    const replyCode = port === 'auth' ? code.accessAccept : code.accountingResponse;
    if (!answers.build(request, replyCode, verified.secret)) return 'reply_too_long';
    answers.send(request, 'status');
    return null;
  }

  /** Counts what is dropped; an exception is no answer either. */
  function counted(source: string | undefined, handle: () => DropReason | null): DropReason | null {
    let reason: DropReason | null = 'handler_error';
    try {
      reason = handle();
    } catch (error) {
      deps.warn('a packet could not be handled', { err: error, source });
    }
    if (reason) counters.count('drops', reason);
    return reason;
  }

  return {
    handleBatch(port, batch, socket, socketIndex) {
      // One instant for all that came together: the clocks are not asked for each of them.
      const startedMs = clock.monotonicMs();
      const receivedAtMs = clock.nowMs();
      checks.begin();
      taken.length = 0;
      for (let i = 0; i < batch.count; i++) {
        counted(batch.peers[i]?.address, () => {
          const request = take(batch, i, socket, socketIndex, startedMs, receivedAtMs);
          if (typeof request === 'string') return request;
          taken.push(request);
          return null;
        });
      }
      checks.run();
      for (const request of taken) counted(request.peer.address, () => serve(port, request));
      answers.flush();
    },
    handlePacket: (port, data, start, length, link) =>
      counted(link.peer.address, () => handleLinked(port, data, start, length, link)),
    waiting: accounting.waiting,
    unknownClients: () => unknown.list(),
    nasActivities: activities.list,
    deciding: access.deciding,
    conversing: access.conversing,
    recentAnswers: () => answers.recent(clock.monotonicMs()),
    recall: (recent) => answers.recall(recent, clock.monotonicMs()),
    async drain() {
      await access.drain();
      await accounting.drain();
    },
  };
}

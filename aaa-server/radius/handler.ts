// Answers RADIUS requests: everything of a worker but its sockets and its thread, so that tests drive it with buffers.
import type { UdpBatch, UdpSocket } from '#ops/runtime/udp.ts';
import type { NasAttribute } from '#policy/nas/profile.ts';
import { createCredentials } from '../auth/credentials.ts';
import { createEap } from '../auth/eap/eap.ts';
import { createEapStates } from '../auth/eap/states.ts';
import { createNasTable, type NasClient, type NasTable } from '../auth/nas-table.ts';
import { createPasswords } from '../auth/passwords.ts';
import { createProven } from '../auth/proven.ts';
import { createSlowHashes } from '../auth/slow-hashes.ts';
import type { DropReason } from '../counters.ts';
import { attribute, eachAttribute, firstAttribute, octetsAt, textOf } from '../wire/attributes.ts';
import { authenticatorOffset } from '../wire/authenticators.ts';
import { createPacketBuilder } from '../wire/encode.ts';
import type { Secret } from '../wire/md5.ts';
import { code, copyPacket, decodePacket, type Packet } from '../wire/packet.ts';
import { createDelayedRejects } from './delayed-rejects.ts';
import { createDuplicates, type DuplicatesOptions, type Entry } from './duplicates.ts';
import { decideLogin, type LoginDecision } from './login.ts';
import { createNasActivities, type NasActivity } from './nas-activity.ts';
import { createOncePer } from './once-per.ts';
import type { RadiusDeps, RadiusLink, RadiusPort, RadiusRequest } from './request.ts';
import { createUnknownClients, type UnknownReport } from './unknown-clients.ts';
import { type Verified, verifyMaker } from './verify.ts';

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
  /** Sends waiting rejects at once and settles when every login and accounting record in progress is answered or given up. */
  drain(): Promise<void>;
};

/** An Accounting-Request whose record is on its way to the disk. */
type Waiting = { readonly request: RadiusRequest; readonly entry: Entry; readonly reply: Buffer };

/** How often the NAS table is compared with the snapshot. */
const nasCheckMs = 100;
/** Logins that wait for something at the same time; more than these go unanswered. */
const mostDeciding = 8192;
const replyCodes = { accept: code.accessAccept, reject: code.accessReject, challenge: code.accessChallenge } as const;

export function createRadiusHandler(received: RadiusDeps, duplicatesOptions: DuplicatesOptions = {}): RadiusHandler {
  const once = createOncePer(10_000, received.clock);
  const deps: RadiusDeps = {
    ...received,
    warn: (message, fields) => once(message) && received.warn(message, fields),
  };
  const { snapshot, keyring, clock, counters, rejectDelayMs, later } = deps;
  const credentials = createCredentials({
    snapshot,
    passwords: createPasswords(keyring),
    proven: createProven(),
    slowHashes: createSlowHashes(deps),
    warn: deps.warn,
  });
  const states = createEapStates({ key: keyring.derive('eap-state'), ...deps.eap });
  const eap = createEap({ ...deps.eap, credentials, states, clock, counters, later });
  const loginDeps = { snapshot, credentials, eap, authorize: deps.authorize };
  const duplicates = createDuplicates(duplicatesOptions);
  const rejects = createDelayedRejects({ delayMs: rejectDelayMs, monotonicMs: clock.monotonicMs, later });
  const unknown = createUnknownClients();
  const activities = createNasActivities();
  const builder = createPacketBuilder();
  const appending = new Set<Promise<void>>();
  const deciding = new Set<Promise<void>>();
  let lastKept: Promise<void> | undefined;
  let lastWaiting: Waiting[] = [];
  let table: NasTable = createNasTable([], keyring);
  let tableGeneration = Number.NaN;
  let tableCheckedMs = Number.NEGATIVE_INFINITY;
  /** Wall clock of the receipt of the batch that is being handled. */
  let batchAtMs = 0;

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

  function drop(reason: DropReason): void {
    counters.count('drops', reason);
  }

  /** Like every function below: why the packet gets no answer, or null. */
  function handleOne(
    port: RadiusPort,
    batch: UdpBatch,
    i: number,
    socket: UdpSocket,
    socketIndex: number,
    startedMs: number,
  ): DropReason | null {
    const data = batch.data[i];
    const peer = batch.peers[i];
    if (!data || !peer) throw new Error(`the batch has no datagram ${i}`);
    const packet = decodePacket(data, batch.starts[i], batch.lengths[i]);
    if (!packet.ok) return packet.reason;
    const client = nasTable(startedMs).find(peer.address, () => textOf(packet, attribute.nasIdentifier));
    if (!client) {
      unknown.note(peer.address, clock.nowMs(), () => textOf(packet, attribute.nasIdentifier));
      return 'unknown_client';
    }
    const request: RadiusRequest = {
      packet,
      client,
      activity: activities.of(client.record.id),
      peer,
      socket,
      socketIndex,
      startedMs,
      reply: (reply, start, length) => batch.reply(i, reply, start, length),
    };
    return serve(port, request);
  }

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
      activity: activities.of(client.record.id),
      startedMs: clock.monotonicMs(),
      reply: (reply, from, size) => socket.send(peer, reply, from, size),
      ...(link.handOver ? { handOver: link.handOver } : {}),
    });
  }

  function serve(port: RadiusPort, request: RadiusRequest): DropReason | null {
    const reason = handleRequest(port, request);
    if (reason) request.activity.dropped++;
    return reason;
  }

  function handleRequest(port: RadiusPort, request: RadiusRequest): DropReason | null {
    const { packet } = request;
    if (packet.code === code.statusServer) return handleStatus(port, request);
    if (packet.code === code.accessRequest && port === 'auth') return handleAccess(request);
    if (packet.code === code.accountingRequest && port === 'acct') return handleAccounting(request);
    return 'unexpected_code';
  }

  function verify({ packet, client, activity }: RadiusRequest): Verified {
    const verified = verifyMaker(packet, client);
    if (verified.ok) activity.lastHeardAtMs = batchAtMs;
    if (verified.ok && verified.secret) countSecret(client, activity, verified.secret);
    return verified;
  }

  function countSecret({ secrets, secured }: NasClient, activity: NasActivity, secret: Secret): void {
    // Through TLS everybody has the same one (RFC 6614 §2.3): it says nothing of a rotation.
    if (secured) return;
    const which = secret === secrets[0] ? 'current' : 'next';
    activity[which]++;
    activity[`${which}AtMs`] = activity.lastHeardAtMs;
  }

  /** A login was right: what it says of an access server that proved nothing before. */
  function noteLogin({ packet, client, activity }: RadiusRequest, secret: Secret): void {
    if (packet.messageAuthenticatorAt >= 0) return;
    client.trust.loggedIn(packet);
    // Only a User-Password shows which secret it was; CHAP is answered with the one that was right last.
    if (firstAttribute(packet, attribute.userPassword) >= 0) countSecret(client, activity, secret);
  }

  function handleStatus(port: RadiusPort, request: RadiusRequest): DropReason | null {
    counters.count('requests', 'status');
    request.activity.status++;
    const verified = verify(request);
    if (!verified.ok) return verified.reason;
    // A server that cannot decide logins is not there for the watchdog either.
    if (port === 'auth' && !snapshot.complete()) return 'snapshot_incomplete';
    const secret = verified.secret;
    if (!secret) return 'message_authenticator_required_by_status_server';
    const replyCode = port === 'auth' ? code.accessAccept : code.accountingResponse;
    if (!build(request, replyCode, secret)) return 'reply_too_long';
    request.reply(builder.data, 0, builder.length());
    counters.count('replies', 'status');
    return null;
  }

  /** Whether an Access-Request is the next one of a login that was begun here. */
  function goesOn(packet: Packet, { record }: NasClient): boolean {
    const at = firstAttribute(packet, attribute.state);
    return at >= 0 && states.decode(octetsAt(packet, at), record.id, clock.nowMs()) !== undefined;
  }

  function handleAccess(request: RadiusRequest): DropReason | null {
    const { packet, client } = request;
    counters.count('requests', 'access');
    request.activity.access++;
    if (deps.admission?.admits(request.startedMs, () => goesOn(packet, client)) === false) return 'overload';
    const verified = verify(request);
    if (!verified.ok) return verified.reason;
    const leader = eap.leaderOf(packet, client.record);
    if (leader !== undefined) {
      const { peer, socketIndex } = request;
      const data = new Uint8Array(packet.data.subarray(packet.start, packet.end));
      if (request.handOver) request.handOver(leader, data, client);
      else deps.handOver(leader, { data, peer, socketIndex });
      counters.count('eap', 'handed_over');
      return null;
    }
    request.activity[verified.secret ? 'proven' : 'unproven']++;
    if (!snapshot.complete()) return 'snapshot_incomplete';
    return withoutDuplicates(request, (entry) => {
      const decision = decideLogin(loginDeps, packet, client, verified.secret);
      if (!(decision instanceof Promise)) return answerLogin(request, entry, decision);
      if (deciding.size >= mostDeciding) {
        decision.catch((error) =>
          deps.warn('a login could not be decided', { err: error, source: request.peer.address }),
        );
        return 'too_many_in_progress';
      }
      const answered = answerWhenDecided(request, entry, decision).finally(() => deciding.delete(answered));
      deciding.add(answered);
      return null;
    });
  }

  /** Goes on with a copy of the request: the driver uses its memory again. */
  async function answerWhenDecided(
    request: RadiusRequest,
    entry: Entry,
    decision: Promise<LoginDecision>,
  ): Promise<void> {
    const { peer, socket, activity } = request;
    const reply: RadiusRequest['reply'] = (data, start, length) => socket.send(peer, data, start, length);
    const kept = { ...request, packet: copyPacket(request.packet), reply };
    let reason: DropReason | null = 'handler_error';
    try {
      reason = answerLogin(kept, entry, await decision);
    } catch (error) {
      deps.warn('a login could not be decided', { err: error, source: peer.address });
    }
    if (!reason) return;
    duplicates.forget(entry);
    drop(reason);
    activity.dropped++;
  }

  function answerLogin(request: RadiusRequest, entry: Entry, decision: LoginDecision): DropReason | null {
    if (decision.kind === 'drop') return decision.reason;
    if (!build(request, replyCodes[decision.kind], decision.secret, decision.attributes)) {
      return 'reply_too_long';
    }
    counters.observe('access', (clock.monotonicMs() - request.startedMs) / 1000);
    if (decision.kind === 'accept') noteLogin(request, decision.secret);
    if (decision.kind !== 'reject') {
      request.reply(builder.data, 0, builder.length());
      duplicates.answer(entry, builder.data, 0, builder.length());
      counters.count('replies', decision.kind === 'accept' ? 'access_accept' : 'access_challenge');
      return null;
    }
    counters.count('rejects', decision.reason);
    request.activity.rejected++;
    if (decision.likelyWrongSecret) counters.count('signs', 'likely_wrong_secret');
    const reply = Buffer.from(builder.data.subarray(0, builder.length()));
    const waited = rejects.add(() => answerLater(request, entry, reply, 'access_reject'));
    if (!waited && rejectDelayMs > 0) counters.count('signs', 'reject_delay_full');
    return null;
  }

  function handleAccounting(request: RadiusRequest): DropReason | null {
    const { packet, client, peer } = request;
    counters.count('requests', 'accounting');
    request.activity.accounting++;
    const verified = verify(request);
    if (!verified.ok) return verified.reason;
    const { secret } = verified;
    if (!secret) return 'bad_request_authenticator';
    return withoutDuplicates(request, (entry) => {
      const result = deps.receiveAccounting({
        packet,
        nas: client.record,
        several: client.several,
        sourceAddress: peer.address,
        receivedAtMs: clock.nowMs(),
      });
      if (!result.ok && !result.ack) return 'accounting_refused';
      if (!build(request, code.accountingResponse, secret)) return 'reply_too_long';
      // The packet's memory is gone when the disk has answered, so the reply is made now and sent then.
      const reply = Buffer.from(builder.data.subarray(0, builder.length()));
      if (!result.ok) {
        answerLater(request, entry, reply, 'accounting_response');
        return null;
      }
      answerWhenKept(deps.append(result.record), { request, entry, reply });
      return null;
    });
  }

  /** Records that reach the disk together have one promise, and are answered together. */
  function answerWhenKept(kept: Promise<void>, waiting: Waiting): void {
    if (kept === lastKept) return void lastWaiting.push(waiting);
    const group = [waiting];
    lastKept = kept;
    lastWaiting = group;
    // What comes with this promise afterwards would be answered by nobody.
    const close = () => {
      if (lastKept === kept) lastKept = undefined;
    };
    const answered: Promise<void> = kept
      .then(
        () => {
          close();
          const nowMs = clock.monotonicMs();
          for (const { request, entry, reply } of group) {
            answerLater(request, entry, reply, 'accounting_response');
            counters.observe('accounting', (nowMs - request.startedMs) / 1000);
          }
        },
        (error) => {
          close();
          for (const { request, entry } of group) {
            duplicates.forget(entry);
            drop('accounting_not_durable');
            request.activity.dropped++;
          }
          deps.warn('accounting record is not on disk: not acknowledged', { err: error });
        },
      )
      .finally(() => appending.delete(answered));
    appending.add(answered);
  }

  /** Answers a repeated request from memory; else runs `decide`, which returns why there is no answer, or null. */
  function withoutDuplicates(request: RadiusRequest, decide: (entry: Entry) => DropReason | null): DropReason | null {
    const { packet, peer, socketIndex, startedMs } = request;
    const at = packet.start + authenticatorOffset;
    const known = duplicates.find(peer, socketIndex, packet.identifier, packet.data, at, startedMs);
    if (known >= 0) {
      const { start, length } = duplicates.replyOf(known);
      if (length > 0) request.reply(duplicates.memory, start, length);
      counters.count('duplicates', length > 0 ? 'resent' : 'in_progress');
      return null;
    }
    const entry = duplicates.open(peer, socketIndex, packet.identifier, packet.data, at, startedMs);
    let reason: DropReason | null = 'handler_error';
    try {
      reason = decide(entry);
      return reason;
    } finally {
      if (reason) duplicates.forget(entry);
    }
  }

  function answerLater(
    request: RadiusRequest,
    entry: Entry,
    reply: Buffer,
    label: 'access_reject' | 'accounting_response',
  ): void {
    request.socket.send(request.peer, reply, 0, reply.length);
    duplicates.answer(entry, reply, 0, reply.length);
    counters.count('replies', label);
  }

  /**
   * A reply in `builder`: Message-Authenticator first in every Access reply (CVE-2024-3596), unless the access server drops such replies
   * and did not ask for one (RFC 3579 §3.2 does with EAP); Proxy-States unchanged and in order.
   */
  function build(
    { packet, client }: RadiusRequest,
    replyCode: number,
    secret: Secret,
    attributes: readonly NasAttribute[] = [],
  ): boolean {
    builder.begin(replyCode, packet.identifier);
    const wanted = client.record.replyMessageAuthenticator || packet.messageAuthenticatorAt >= 0;
    if (replyCode !== code.accountingResponse && wanted) builder.messageAuthenticator();
    for (const { vendor, type, value } of attributes) {
      if (vendor === 0) builder.add(type, value);
      else builder.addVendor(vendor, type, value);
    }
    eachAttribute(packet, (type, at) => {
      if (type === attribute.proxyState) builder.copy(packet, at);
    });
    return builder.finishReply(packet.data, packet.start + authenticatorOffset, secret);
  }

  return {
    handleBatch(port, batch, socket, socketIndex) {
      // One instant for all that came together: the clocks are not asked for each of them.
      const startedMs = clock.monotonicMs();
      batchAtMs = clock.nowMs();
      for (let i = 0; i < batch.count; i++) {
        try {
          const reason = handleOne(port, batch, i, socket, socketIndex, startedMs);
          if (reason) drop(reason);
        } catch (error) {
          drop('handler_error');
          deps.warn('a packet could not be handled', { err: error, source: batch.peers[i]?.address });
        }
      }
    },
    handlePacket(port, data, start, length, link) {
      let reason: DropReason | null = 'handler_error';
      try {
        reason = handleLinked(port, data, start, length, link);
      } catch (error) {
        deps.warn('a packet could not be handled', { err: error, source: link.peer.address });
      }
      if (reason) drop(reason);
      return reason;
    },
    waiting: () => appending.size,
    unknownClients: () => unknown.list(),
    nasActivities: activities.list,
    deciding: () => deciding.size,
    async drain() {
      while (deciding.size > 0) await Promise.all(deciding);
      eap.close();
      rejects.flush();
      while (appending.size > 0) await Promise.all(appending);
    },
  };
}

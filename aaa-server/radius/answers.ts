// What leaves for a request: built in one buffer, sent at once or later, and remembered for its repetitions.
import type { NasAttribute } from '#policy/nas/profile.ts';
import type { Counters, DropReason } from '../counters.ts';
import { attribute, eachAttribute } from '../wire/attributes.ts';
import { authenticatorOffset, signResponse } from '../wire/authenticators.ts';
import { createPacketBuilder } from '../wire/encode.ts';
import { createSecret, type Secret } from '../wire/md5.ts';
import { signMessageAuthenticator } from '../wire/message-authenticator.ts';
import { code, maxPacketLength } from '../wire/packet.ts';
import { signTogether, type Unsigned } from '../wire/sign-together.ts';
import { createDuplicates, type DuplicatesOptions, type Entry } from './duplicates.ts';
import { packAnswers, unpackAnswers } from './recent-answers.ts';
import type { RadiusRequest } from './request.ts';

export type AnswerLabel = 'access_accept' | 'access_challenge' | 'access_reject' | 'accounting_response' | 'status';

/** Attributes as they lie in a packet: the first `length` octets. */
export type EncodedAttributes = { readonly octets: Uint8Array; readonly length: number };

export type Answers = {
  /** Whether it is the repetition of a request that is in progress or answered. */
  knows(request: RadiusRequest): boolean;
  /**
   * Answers a repeated request from memory; else runs `decide`, which returns why there is no answer, or null. `repeated` hears of a
   * repetition whose first is still being worked on.
   */
  once(
    request: RadiusRequest,
    decide: (entry: Entry) => DropReason | null,
    repeated?: (entry: Entry) => void,
  ): DropReason | null;
  /** Builds a reply, which stands until the next one; false when it does not fit. */
  build(
    request: RadiusRequest,
    replyCode: number,
    secret: Secret,
    attributes?: readonly NasAttribute[],
    encoded?: EncodedAttributes,
  ): boolean;
  /** The reply that was built leaves; without an entry nothing remembers it. */
  send(request: RadiusRequest, label: AnswerLabel, entry?: Entry): void;
  /** What was built and waits for others leaves, signed together. */
  flush(): void;
  /** The reply that was built, to be sent by `sendLater`. */
  copy(): Buffer;
  sendLater(request: RadiusRequest, entry: Entry, reply: Buffer, label: AnswerLabel): void;
  /** The request gets no answer after all: its repetition counts as new. */
  giveUp(request: RadiusRequest, entry: Entry, reason: DropReason): void;
  /** What repetitions are answered with, to be recalled by whoever goes on. */
  recent(nowMs: number): Buffer;
  recall(recent: Buffer, nowMs: number): void;
};

const none: readonly NasAttribute[] = [];

/** A reply that waits for others. */
type Waiting = { -readonly [K in keyof Unsigned]: Unsigned[K] } & {
  sender: RadiusRequest | undefined;
  entry: Entry | undefined;
};

const mostWaiting = 64;

export function createAnswers(counters: Counters, duplicatesOptions: DuplicatesOptions): Answers {
  const duplicates = createDuplicates(duplicatesOptions);
  const builder = createPacketBuilder();
  // Each with memory of its own, used again and again; the one behind those that wait is being built.
  const waiting: Waiting[] = [];
  let count = 0;
  let flushIsDue = false;

  function place(): Waiting {
    let free = waiting[count];
    if (!free) {
      const data = Buffer.alloc(maxPacketLength);
      free = {
        ...{ data, length: 0, messageAuthenticatorAt: -1, secret: noSecret, request: data, requestAt: 0 },
        ...{ sender: undefined, entry: undefined },
      };
      waiting[count] = free;
    }
    return free;
  }

  function flush(): void {
    if (count === 0) return;
    signTogether(waiting, count);
    for (let i = 0; i < count; i++) {
      const built = waiting[i] as Waiting;
      leave(built.sender as RadiusRequest, built.data as Buffer, built.length, built.entry);
      built.sender = undefined;
    }
    count = 0;
  }

  function flushTurn(): void {
    flushIsDue = false;
    flush();
  }

  function leave(request: RadiusRequest, data: Buffer, length: number, entry: Entry | undefined): void {
    request.reply(data, 0, length);
    if (entry !== undefined) duplicates.answer(entry, data, 0, length);
  }

  function find({ packet, peer, socketIndex, startedMs }: RadiusRequest): Entry {
    const at = packet.start + authenticatorOffset;
    return duplicates.find(peer, socketIndex, packet.identifier, packet.data, at, startedMs);
  }

  return {
    knows: (request) => find(request) >= 0,

    once(request, decide, repeated) {
      const { packet, peer, socketIndex, startedMs } = request;
      const at = packet.start + authenticatorOffset;
      const known = find(request);
      if (known >= 0) {
        const { start, length } = duplicates.replyOf(known);
        if (length > 0) request.reply(duplicates.memory, start, length);
        else repeated?.(known);
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
    },

    /**
     * Message-Authenticator first in every Access reply (CVE-2024-3596), unless the access server drops such replies and did not ask for
     * one (RFC 3579 §3.2 does with EAP); Proxy-States unchanged and in order.
     */
    build({ packet, client }, replyCode, secret, attributes = none, encoded) {
      const built = place();
      builder.begin(replyCode, packet.identifier, built.data as Buffer);
      const wanted = client.record.replyMessageAuthenticator || packet.messageAuthenticatorAt >= 0;
      if (replyCode !== code.accountingResponse && wanted) builder.messageAuthenticator();
      for (const { vendor, type, value } of attributes) {
        if (vendor === 0) builder.add(type, value);
        else builder.addVendor(vendor, type, value);
      }
      if (encoded) builder.addEncoded(encoded.octets, encoded.length);
      eachAttribute(packet, (type, at) => {
        if (type === attribute.proxyState) builder.copy(packet, at);
      });
      built.messageAuthenticatorAt = builder.messageAuthenticatorAt();
      built.secret = secret;
      built.request = packet.data;
      built.requestAt = packet.start + authenticatorOffset;
      const fits = builder.finishUnsigned();
      built.length = builder.length();
      return fits;
    },

    send(request, label, entry) {
      counters.count('replies', label);
      const built = place();
      if (request.answeredWith === null) {
        sign(built);
        leave(request, built.data as Buffer, built.length, entry);
        return;
      }
      built.sender = request;
      built.entry = entry;
      count++;
      if (count === mostWaiting) flush();
      else if (request.answeredWith === 'turn' && !flushIsDue) {
        flushIsDue = true;
        process.nextTick(flushTurn);
      }
    },

    flush,

    copy() {
      const built = place();
      sign(built);
      return Buffer.from(built.data.subarray(0, built.length));
    },

    sendLater(request, entry, reply, label) {
      request.socket.send(request.peer, reply, 0, reply.length);
      duplicates.answer(entry, reply, 0, reply.length);
      counters.count('replies', label);
    },

    recent: (nowMs) => packAnswers(duplicates.answered(nowMs)),
    recall(recent, nowMs) {
      for (const { peer, socket, identifier, authenticator, ageMs, reply } of unpackAnswers(recent)) {
        const entry = duplicates.open(peer, socket, identifier, authenticator, 0, nowMs - ageMs);
        duplicates.answer(entry, reply, 0, reply.length);
      }
    },

    giveUp(request, entry, reason) {
      duplicates.forget(entry);
      counters.count('drops', reason);
      request.activity.dropped++;
    },
  };
}

const noSecret = createSecret(Buffer.alloc(1));

/** At once: four lanes for one reply are no gain. */
function sign({ data, length, messageAuthenticatorAt, secret, request, requestAt }: Waiting): void {
  const [reply, asked] = [data as Buffer, request as Buffer];
  if (messageAuthenticatorAt >= 0) {
    signMessageAuthenticator(reply, 0, length, messageAuthenticatorAt, secret, asked, requestAt);
  }
  signResponse(reply, 0, length, asked, requestAt, secret);
}

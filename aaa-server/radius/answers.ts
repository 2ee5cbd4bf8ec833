// What leaves for a request: built in one buffer, sent at once or later, and remembered for its repetitions.
import type { NasAttribute } from '#policy/nas/profile.ts';
import type { Counters, DropReason } from '../counters.ts';
import { attribute, eachAttribute } from '../wire/attributes.ts';
import { authenticatorOffset } from '../wire/authenticators.ts';
import { createPacketBuilder } from '../wire/encode.ts';
import type { Secret } from '../wire/md5.ts';
import { code } from '../wire/packet.ts';
import { createDuplicates, type DuplicatesOptions, type Entry } from './duplicates.ts';
import { packAnswers, unpackAnswers } from './recent-answers.ts';
import type { RadiusRequest } from './request.ts';

export type AnswerLabel = 'access_accept' | 'access_challenge' | 'access_reject' | 'accounting_response' | 'status';

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
  build(request: RadiusRequest, replyCode: number, secret: Secret, attributes?: readonly NasAttribute[]): boolean;
  /** The reply that was built leaves; without an entry nothing remembers it. */
  send(request: RadiusRequest, label: AnswerLabel, entry?: Entry): void;
  /** The reply that was built, to be sent by `sendLater`. */
  copy(): Buffer;
  sendLater(request: RadiusRequest, entry: Entry, reply: Buffer, label: AnswerLabel): void;
  /** The request gets no answer after all: its repetition counts as new. */
  giveUp(request: RadiusRequest, entry: Entry, reason: DropReason): void;
  /** What repetitions are answered with, to be recalled by whoever goes on. */
  recent(nowMs: number): Buffer;
  recall(recent: Buffer, nowMs: number): void;
};

export function createAnswers(counters: Counters, duplicatesOptions: DuplicatesOptions): Answers {
  const duplicates = createDuplicates(duplicatesOptions);
  const builder = createPacketBuilder();

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
    build({ packet, client }, replyCode, secret, attributes = []) {
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
    },

    send(request, label, entry) {
      request.reply(builder.data, 0, builder.length());
      if (entry !== undefined) duplicates.answer(entry, builder.data, 0, builder.length());
      counters.count('replies', label);
    },

    copy: () => Buffer.from(builder.data.subarray(0, builder.length())),

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

// EAP over RADIUS (RFC 3579): leads the conversations of this worker, each found by its State attribute, bounded in number and time.
import type { Clock } from '#ops/runtime/clock.ts';
import type { NasAttribute } from '#policy/nas/profile.ts';
import type { Counters } from '../../counters.ts';
import type { CredentialRecord, NasRecord } from '../../subscribers/records.ts';
import { attribute, firstAttribute, integerOf, octetsAt } from '../../wire/attributes.ts';
import { decodeEap, eapCode, eapMessages, eapOf, encodeEapResult } from '../../wire/eap.ts';
import { copyPacket, type Packet } from '../../wire/packet.ts';
import type { Credentials } from '../credentials.ts';
import { encryptionAllowed, keyAttributes } from '../mppe.ts';
import { type Attempt, dropped, type Proof, refused } from '../proof.ts';
import type { MethodMaker } from './method.ts';
import { createEapSession, type EapSession, type EapTurn } from './session.ts';
import type { EapStates, Place } from './states.ts';

export type Eap = {
  prove(attempt: Attempt): Proof | Promise<Proof>;
  /** The other worker of this node that leads the conversation of a packet, undefined when it is to be answered here. */
  leaderOf(packet: Packet, nas: NasRecord): number | undefined;
  /** Conversations whose peer is likely to go on: it said something in the last seconds. */
  inProgress(): number;
  /** Ends every conversation; those in progress begin again elsewhere. */
  close(): void;
};

export type EapDeps = {
  readonly credentials: Credentials;
  readonly states: EapStates;
  /** Index of this worker, and how many there are. */
  readonly worker: number;
  readonly workers: number;
  /** In the order in which they are offered; none: EAP is refused. */
  readonly makers: readonly MethodMaker[];
  readonly clock: Clock;
  readonly counters: Pick<Counters, 'count'>;
  /** setTimeout, or a fake one. */
  later(callback: () => void, ms: number): void;
};

type Conversation = {
  readonly place: Place;
  readonly nasId: number;
  readonly session: EapSession;
  /** By the clock that never jumps, and by the other one: for the State, which all workers of the node read. */
  readonly endsAtMs: number;
  readonly stateUntilMs: number;
  heardAtMs: number;
  busy: boolean;
  /** The last Response and what it was answered: an access server that did not hear us sends it again in a new request. */
  lastResponse: Buffer;
  lastTurn: EapTurn | undefined;
};

/** A handshake by TLS takes some 100 KB, and three or four seconds over a slow link. */
const mostConversations = 2048;
/** Whoever begins many behind one access server, without having proven anything, only ends others of that one. */
const mostOfNas = mostConversations / 2;
const lifetimeMs = 60_000;
const sweepMs = 1000;
/** A peer that says nothing for so long is not waited for. */
const silenceMs = 2000;

export function createEap(deps: EapDeps): Eap {
  const { credentials, states, worker, workers, makers, clock, counters, later } = deps;
  /** In the order in which they began, so in that in which they are over. */
  const conversations = new Map<string, Conversation>();
  /** How many, by access server. */
  const ofNas = new Map<number, number>();
  let sweeping = false;

  function sweep(): void {
    sweeping = false;
    const nowMs = clock.monotonicMs();
    for (const conversation of conversations.values()) {
      if (conversation.endsAtMs > nowMs) break;
      end(conversation);
    }
    sweepLater();
  }

  function sweepLater(): void {
    if (sweeping || conversations.size === 0) return;
    sweeping = true;
    later(sweep, sweepMs);
  }

  /** Whatever the wall clock says: whether it is over tells the conversation itself. */
  function placeOf(packet: Packet, stateAt: number, nas: NasRecord): Place | undefined {
    return states.decode(octetsAt(packet, stateAt), nas.id, Number.NEGATIVE_INFINITY);
  }

  function end({ place, session, nasId }: Conversation): void {
    if (conversations.delete(place.conversation)) {
      const left = (ofNas.get(nasId) ?? 1) - 1;
      if (left > 0) ofNas.set(nasId, left);
      else ofNas.delete(nasId);
    }
    session.close();
  }

  /** The oldest is the likeliest to be given up: whoever begins many cannot shut others out. */
  function makeRoom(nasId: number): void {
    const isCrowded = (ofNas.get(nasId) ?? 0) >= mostOfNas;
    if (!isCrowded && conversations.size < mostConversations) return;
    for (const conversation of conversations.values()) {
      if (isCrowded && conversation.nasId !== nasId) continue;
      counters.count('eap', 'evicted');
      end(conversation);
      return;
    }
  }

  function inProgress(): number {
    const sinceMs = clock.monotonicMs() - silenceMs;
    return [...conversations.values()].filter(({ busy, heardAtMs }) => busy || heardAtMs >= sinceMs).length;
  }

  function begin({ nas, packet }: Attempt): Conversation {
    const mtu = integerOf(packet, framedMtu);
    const conversation: Conversation = {
      place: states.place(),
      nasId: nas.id,
      session: createEapSession({ tenantId: nas.tenantId, credentials, makers, mtu }),
      endsAtMs: clock.monotonicMs() + lifetimeMs,
      stateUntilMs: clock.nowMs() + lifetimeMs,
      heardAtMs: clock.monotonicMs(),
      busy: false,
      lastResponse: Buffer.alloc(0),
      lastTurn: undefined,
    };
    conversations.set(conversation.place.conversation, conversation);
    ofNas.set(nas.id, (ofNas.get(nas.id) ?? 0) + 1);
    counters.count('eap', 'started');
    sweepLater();
    return conversation;
  }

  function follow(conversation: Conversation, attempt: Attempt, response: Buffer, turn: EapTurn): Proof {
    const { secret, nas, packet } = attempt;
    const identifier = response[1] ?? 0;
    conversation.heardAtMs = clock.monotonicMs();
    if (turn.kind !== 'ignore' && turn.kind !== 'drop') {
      conversation.lastResponse = response;
      conversation.lastTurn = turn;
    }
    switch (turn.kind) {
      case 'request':
        return {
          kind: 'challenge',
          secret,
          attributes: [
            ...eapAttributes(turn.packet),
            standard(attribute.state, states.encode(conversation.place, nas.id, conversation.stateUntilMs)),
          ],
        };
      case 'success': {
        end(conversation);
        const { credential, keys } = turn;
        return {
          kind: 'proven',
          credential,
          secret,
          attributes: [
            ...eapAttributes(encodeEapResult(eapCode.success, identifier)),
            ...userNameOf(credential),
            ...(keys ? [...keyAttributes(keys, packet, secret), ...encryptionAllowed] : []),
          ],
          refusal: failureAttributes(identifier),
          byPassword: true,
        };
      }
      case 'failure':
        end(conversation);
        return refused(turn.reason, secret, failureAttributes(identifier));
      case 'ignore':
        return dropped('eap_unexpected');
      case 'drop':
        return turn;
      default:
        return turn satisfies never;
    }
  }

  async function followLater(
    conversation: Conversation,
    attempt: Attempt,
    response: Buffer,
    turn: Promise<EapTurn>,
  ): Promise<Proof> {
    // The authenticator of the request hides the keys.
    const kept = { ...attempt, packet: copyPacket(attempt.packet) };
    conversation.busy = true;
    try {
      return follow(conversation, kept, response, await turn);
    } catch (error) {
      end(conversation);
      throw error;
    } finally {
      conversation.busy = false;
    }
  }

  return {
    prove(attempt) {
      const { packet, nas, secret } = attempt;
      const response = eapOf(packet);
      const refuse = (reason: 'eap_malformed' | 'eap_state_unknown' | 'unsupported_method') =>
        refused(reason, secret, failureAttributes(response[1] ?? 0));
      if (makers.length === 0) return refuse('unsupported_method');
      const stateAt = firstAttribute(packet, attribute.state);
      const place = stateAt < 0 ? undefined : placeOf(packet, stateAt, nas);
      let conversation = place && conversations.get(place.conversation);
      if (conversation && conversation.endsAtMs <= clock.monotonicMs()) {
        end(conversation);
        conversation = undefined;
      }
      if (stateAt >= 0 && !conversation) return refuse('eap_state_unknown');
      const decoded = decodeEap(response);
      if (!decoded && response.length > 0) return refuse('eap_malformed');
      if (!conversation) {
        makeRoom(attempt.nas.id);
        conversation = begin(attempt);
      }
      if (conversation.busy) return dropped('eap_unexpected');
      if (conversation.lastTurn && conversation.lastResponse.equals(response)) {
        counters.count('eap', 'repeated');
        return follow(conversation, attempt, response, conversation.lastTurn);
      }
      // An EAP-Start (RFC 3579 §2.1): an empty EAP-Message asks for our first Request.
      const turn = decoded ? conversation.session.receive(decoded) : conversation.session.start();
      return turn instanceof Promise
        ? followLater(conversation, attempt, response, turn)
        : follow(conversation, attempt, response, turn);
    },
    leaderOf(packet, nas) {
      if (workers === 1 || firstAttribute(packet, attribute.eapMessage) < 0) return undefined;
      const stateAt = firstAttribute(packet, attribute.state);
      if (stateAt < 0) return undefined;
      const place = placeOf(packet, stateAt, nas);
      return place && place.worker !== worker && place.worker < workers ? place.worker : undefined;
    },
    inProgress,
    close() {
      for (let cut = inProgress(); cut > 0; cut--) counters.count('eap', 'cut');
      for (const conversation of conversations.values()) end(conversation);
    },
  };
}

const framedMtu = 12;
/** Octets of the value of an attribute. */
const mostInAttribute = 253;

function eapAttributes(eap: Buffer): NasAttribute[] {
  return eapMessages(eap).map((value) => standard(attribute.eapMessage, value));
}

/** Who is proven: accounting has that name, whatever was said outside a tunnel (RFC 2865 §5.1, RFC 3579 §3). */
function userNameOf({ realm, userName }: CredentialRecord): NasAttribute[] {
  const name = Buffer.from(realm === '' ? userName : `${userName}@${realm}`);
  return name.length <= mostInAttribute ? [standard(attribute.userName, name)] : [];
}

function failureAttributes(identifier: number): NasAttribute[] {
  return eapAttributes(encodeEapResult(eapCode.failure, identifier));
}

function standard(type: number, value: NasAttribute['value']): NasAttribute {
  return { vendor: 0, type, value };
}

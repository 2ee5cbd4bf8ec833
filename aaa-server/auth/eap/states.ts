// The State attribute of EAP conversations: names the node and worker that lead one, and until when; an HMAC keeps it from being made up.
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

export type Place = {
  readonly worker: number;
  /** Names a conversation of that worker. */
  readonly conversation: string;
};

export type EapStates = {
  /** A place for a new conversation of this worker. */
  place(): Place;
  encode(place: Place, nasId: number, expiresAtMs: number): Buffer;
  /** Undefined when it is not of this node, was made for another access server, or is over. */
  decode(state: Buffer, nasId: number, nowMs: number): Place | undefined;
};

export type EapStatesOptions = {
  /** `keyring.derive('eap-state')` */
  readonly key: Buffer;
  /** What names this node. */
  readonly node: string;
  readonly worker: number;
};

const nodeLength = 4;
const conversationLength = 8;
const macLength = 16;
const macAt = nodeLength + 1 + conversationLength + 6;

export function createEapStates({ key, node, worker }: EapStatesOptions): EapStates {
  const nodeMark = createHash('sha256').update(node).digest().subarray(0, nodeLength);

  function mac(head: Buffer, nasId: number): Buffer {
    return createHmac('sha256', key).update(head).update(`|${nasId}`).digest().subarray(0, macLength);
  }

  return {
    place: () => ({ worker, conversation: randomBytes(conversationLength).toString('hex') }),
    encode(place, nasId, expiresAtMs) {
      const head = Buffer.alloc(macAt);
      nodeMark.copy(head);
      head[nodeLength] = place.worker;
      head.write(place.conversation, nodeLength + 1, 'hex');
      head.writeUIntBE(expiresAtMs, macAt - 6, 6);
      return Buffer.concat([head, mac(head, nasId)]);
    },
    decode(state, nasId, nowMs) {
      if (state.length !== macAt + macLength) return undefined;
      const head = state.subarray(0, macAt);
      if (!head.subarray(0, nodeLength).equals(nodeMark)) return undefined;
      if (!timingSafeEqual(mac(head, nasId), state.subarray(macAt))) return undefined;
      if (head.readUIntBE(macAt - 6, 6) < nowMs) return undefined;
      const conversation = head.toString('hex', nodeLength + 1, macAt - 6);
      return { worker: head[nodeLength] ?? 0, conversation };
    },
  };
}

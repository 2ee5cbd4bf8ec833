// EAP packets (RFC 3748 §4) and how RADIUS carries them: cut into EAP-Message attributes (RFC 3579 §3.1).
import { Buffer } from 'node:buffer';
import { attribute, firstAttribute, nextAttribute, octetsAt } from './attributes.ts';
import type { Packet } from './packet.ts';

export const eapCode = { request: 1, response: 2, success: 3, failure: 4 } as const;
export const eapType = {
  identity: 1,
  notification: 2,
  nak: 3,
  md5: 4,
  gtc: 6,
  tls: 13,
  ttls: 21,
  peap: 25,
  mschapv2: 26,
  tlv: 33,
} as const;

/** A Request or Response; `data` is what follows the type. */
export type EapPacket = {
  readonly code: number;
  readonly identifier: number;
  readonly type: number;
  readonly data: Buffer;
};

const headerLength = 4;
const mostInAttribute = 253;

/** The EAP packet of all EAP-Message attributes of a RADIUS packet, in memory of its own; empty for an EAP-Start. */
export function eapOf(packet: Packet): Buffer {
  const parts: Buffer[] = [];
  for (let at = firstAttribute(packet, attribute.eapMessage); at >= 0; at = nextAttribute(packet, at)) {
    parts.push(octetsAt(packet, at));
  }
  return Buffer.concat(parts);
}

/** The values of the EAP-Message attributes that carry a packet, in their order. */
export function eapMessages(eap: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < eap.length; at += mostInAttribute) parts.push(eap.subarray(at, at + mostInAttribute));
  return parts;
}

/** Undefined when it is no Request or Response of the length it tells. Octets behind that length are padding. */
export function decodeEap(octets: Buffer): EapPacket | undefined {
  if (octets.length <= headerLength) return undefined;
  const length = octets.readUInt16BE(2);
  if (length <= headerLength || length > octets.length) return undefined;
  const [code = 0, identifier = 0] = octets;
  if (code !== eapCode.request && code !== eapCode.response) return undefined;
  return { code, identifier, type: octets[headerLength] ?? 0, data: octets.subarray(headerLength + 1, length) };
}

export function encodeEapRequest(identifier: number, type: number, data: Buffer): Buffer {
  const head = Buffer.of(eapCode.request, identifier, 0, 0, type);
  head.writeUInt16BE(head.length + data.length, 2);
  return Buffer.concat([head, data]);
}

/** Success or Failure: a header alone, with the identifier of the Response it answers. */
export function encodeEapResult(code: typeof eapCode.success | typeof eapCode.failure, identifier: number): Buffer {
  return Buffer.of(code, identifier, 0, headerLength);
}

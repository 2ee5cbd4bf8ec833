// Reads the attributes of a decoded packet by offset (RFC 2865 §5): no object per attribute.
import { Buffer } from 'node:buffer';
import { formatPrefix } from './ip-prefix.ts';
import { formatIpv6 } from './ip-text.ts';
import { headerLength, octet, type Packet } from './packet.ts';

/** Attribute types the code speaks of; the dictionaries know the rest. */
export const attribute = {
  userName: 1,
  userPassword: 2,
  chapPassword: 3,
  nasIpAddress: 4,
  nasPort: 5,
  serviceType: 6,
  framedProtocol: 7,
  framedIpAddress: 8,
  framedIpNetmask: 9,
  filterId: 11,
  replyMessage: 18,
  framedRoute: 22,
  state: 24,
  class: 25,
  vendorSpecific: 26,
  sessionTimeout: 27,
  idleTimeout: 28,
  calledStationId: 30,
  callingStationId: 31,
  nasIdentifier: 32,
  proxyState: 33,
  acctStatusType: 40,
  acctDelayTime: 41,
  acctInputOctets: 42,
  acctOutputOctets: 43,
  acctSessionId: 44,
  acctAuthentic: 45,
  acctSessionTime: 46,
  acctInputPackets: 47,
  acctOutputPackets: 48,
  acctTerminateCause: 49,
  acctMultiSessionId: 50,
  acctInputGigawords: 52,
  acctOutputGigawords: 53,
  eventTimestamp: 55,
  chapChallenge: 60,
  nasPortType: 61,
  tunnelPassword: 69,
  arapPassword: 70,
  connectInfo: 77,
  eapMessage: 79,
  messageAuthenticator: 80,
  acctInterimInterval: 85,
  nasPortId: 87,
  framedPool: 88,
  chargeableUserIdentity: 89,
  nasIpv6Address: 95,
  framedInterfaceId: 96,
  framedIpv6Prefix: 97,
  framedIpv6Route: 99,
  framedIpv6Pool: 100,
  errorCause: 101,
  delegatedIpv6Prefix: 123,
  framedIpv6Address: 168,
} as const;

export const vendor = { cisco: 9, microsoft: 311, broadbandForum: 3561, wispr: 14122, mikrotik: 14988 } as const;

/** Offset of the first attribute of `type` that has a value, −1 when there is none; `carriesNothing` says what an empty one means. */
export function firstAttribute(packet: Packet, type: number): number {
  return find(packet.data, packet.start + headerLength, packet.end, type);
}

/** Offset of the next attribute of the same type behind the one at `at`, −1 when there is none. */
export function nextAttribute(packet: Packet, at: number): number {
  return find(packet.data, at + octet(packet.data, at + 1), packet.end, octet(packet.data, at));
}

/** Calls `visit` with type and offset of every attribute, in order, empty ones included. */
export function eachAttribute(packet: Packet, visit: (type: number, at: number) => void): void {
  const { data, end } = packet;
  for (let at = packet.start + headerLength; at < end; at += octet(data, at + 1)) visit(octet(data, at), at);
}

/**
 * Offset of the first vendor attribute (RFC 2865 §5.26, sub-attributes of type, length, value), −1 when there is none. It has the layout
 * of an attribute, so every accessor below takes it. Vendor-Specific attributes of another inner format are passed over.
 */
export function firstVendorAttribute(packet: Packet, vendorId: number, type: number): number {
  const { data } = packet;
  for (let at = firstAttribute(packet, attribute.vendorSpecific); at >= 0; at = nextAttribute(packet, at)) {
    const end = at + octet(data, at + 1);
    if (end - at < 8 || data.readUInt32BE(at + 2) !== vendorId || !isWellFormed(data, at + 6, end)) continue;
    const inner = find(data, at + 6, end, type);
    if (inner >= 0) return inner;
  }
  return -1;
}

/** Calls `visit` with vendor id, type and offset of every vendor attribute of the Vendor-Specific at `at`; false when its inside has another format. */
export function eachVendorAttribute(
  packet: Packet,
  at: number,
  visit: (vendorId: number, type: number, at: number) => void,
): boolean {
  const { data } = packet;
  const end = at + octet(data, at + 1);
  if (end - at < 8 || !isWellFormed(data, at + 6, end)) return false;
  const vendorId = data.readUInt32BE(at + 2);
  for (let inner = at + 6; inner < end; inner += octet(data, inner + 1)) visit(vendorId, octet(data, inner), inner);
  return true;
}

/** Octets in the value of the attribute at `at`: 0…253. */
export function valueLength(packet: Packet, at: number): number {
  return octet(packet.data, at + 1) - 2;
}

/** The value of the attribute at `at`: a view into the packet's memory, valid as long as that is. */
export function octetsAt(packet: Packet, at: number): Buffer {
  return packet.data.subarray(at + 2, at + octet(packet.data, at + 1));
}

/** Value of the attribute at `at` as text. `latin1` keeps every octet apart, `utf8` is what RFC 2865 calls text. */
export function textAt(packet: Packet, at: number, encoding: 'utf8' | 'latin1' = 'utf8'): string {
  return packet.data.toString(encoding, at + 2, at + octet(packet.data, at + 1));
}

/** Text of the first attribute of `type`, undefined without one. */
export function textOf(packet: Packet, type: number, encoding: 'utf8' | 'latin1' = 'utf8'): string | undefined {
  const at = firstAttribute(packet, type);
  return at < 0 ? undefined : textAt(packet, at, encoding);
}

/**
 * The values of all attributes of `type` as one, in order (EAP-Message of RFC 3579 §3.1, a CHAP-Challenge in several parts); undefined
 * without one. A view into the packet's memory when there is only one.
 */
export function joinedOctets(packet: Packet, type: number): Buffer | undefined {
  const first = firstAttribute(packet, type);
  if (first < 0) return undefined;
  const parts = [octetsAt(packet, first)];
  for (let at = nextAttribute(packet, first); at >= 0; at = nextAttribute(packet, at)) parts.push(octetsAt(packet, at));
  return parts.length === 1 ? parts[0] : Buffer.concat(parts);
}

/** Unsigned 32-bit value of the attribute at `at`; undefined when it is not four octets. */
export function integerAt(packet: Packet, at: number): number | undefined {
  return valueLength(packet, at) === 4 ? packet.data.readUInt32BE(at + 2) : undefined;
}

/** Unsigned 32-bit value of the first attribute of `type`; undefined without one or with a value of another size. */
export function integerOf(packet: Packet, type: number): number | undefined {
  const at = firstAttribute(packet, type);
  return at < 0 ? undefined : integerAt(packet, at);
}

/** Dotted IPv4 address of the first attribute of `type`; undefined without one or with a value of another size. */
export function addressOf(packet: Packet, type: number): string | undefined {
  const at = firstAttribute(packet, type);
  if (at < 0 || valueLength(packet, at) !== 4) return undefined;
  const { data } = packet;
  return `${octet(data, at + 2)}.${octet(data, at + 3)}.${octet(data, at + 4)}.${octet(data, at + 5)}`;
}

/** IPv6 prefix of the first attribute of `type` (RFC 3162 §2.3) as `2001:db8::/64`; undefined without one, when it holds no prefix, and for ::/0. */
export function prefixOf(packet: Packet, type: number): string | undefined {
  const at = firstAttribute(packet, type);
  const octets = at < 0 ? undefined : octetsAt(packet, at);
  return octets?.[1] ? formatPrefix(octets) : undefined;
}

/** IPv6 address of the first attribute of `type`; undefined without one or with a value of another size. */
export function ipv6AddressOf(packet: Packet, type: number): string | undefined {
  const at = firstAttribute(packet, type);
  return at < 0 || valueLength(packet, at) !== 16 ? undefined : formatIpv6(octetsAt(packet, at));
}

function find(data: Buffer, from: number, end: number, type: number): number {
  for (let at = from; at < end; at += octet(data, at + 1)) {
    if (octet(data, at) === type && (octet(data, at + 1) > 2 || !carriesNothing(type))) return at;
  }
  return -1;
}

/**
 * Whether an empty attribute of this type is as good as absent (RFC 2865 §5: it MUST NOT be sent). Not so the request for a
 * Chargeable-User-Identity (RFC 4372 §2.1 sends `59 02`) and EAP-Start (RFC 3579 §2.1).
 */
export function carriesNothing(type: number): boolean {
  return type !== attribute.chargeableUserIdentity && type !== attribute.eapMessage;
}

function isWellFormed(data: Buffer, from: number, end: number): boolean {
  let at = from;
  while (at + 2 <= end && octet(data, at + 1) >= 2) at += octet(data, at + 1);
  return at === end;
}

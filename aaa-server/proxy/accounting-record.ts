// An Accounting-Request as it waits on disk for its home server: when it came, and the packet as it was received.
import { attribute, firstAttribute, integerOf, textOf } from '../wire/attributes.ts';
import { decodePacket, type Packet } from '../wire/packet.ts';

export type WaitingRecord = { readonly receivedAtMs: number; readonly packet: Packet };

const version = 1;
const head = 9;

export function encodeWaiting(packet: Packet, receivedAtMs: number): Buffer {
  const bytes = Buffer.allocUnsafe(head + packet.end - packet.start);
  bytes[0] = version;
  bytes.writeDoubleLE(receivedAtMs, 1);
  packet.data.copy(bytes, head, packet.start, packet.end);
  return bytes;
}

/** Undefined when it is none, or of a version that is not known here. */
export function decodeWaiting(bytes: Buffer): WaitingRecord | undefined {
  if (bytes.length < head || bytes[0] !== version) return undefined;
  const packet = decodePacket(bytes, head);
  return packet.ok ? { receivedAtMs: bytes.readDoubleLE(1), packet } : undefined;
}

/** What keeps its order: a session of an access server. */
export function sessionOf({ packet }: WaitingRecord): string {
  const nas = textOf(packet, attribute.nasIdentifier, 'latin1') ?? '';
  const at = firstAttribute(packet, attribute.nasIpAddress);
  const address = at < 0 ? '' : packet.data.toString('latin1', at + 2, at + 6);
  return `${nas}/${address}/${textOf(packet, attribute.acctSessionId, 'latin1') ?? ''}`;
}

const onAndOff = new Set<number | undefined>([7, 8]);

/** Accounting-On and -Off concern every session of their access server: nothing overtakes them. */
export function concernsAll({ packet }: WaitingRecord): boolean {
  return onAndOff.has(integerOf(packet, attribute.acctStatusType));
}

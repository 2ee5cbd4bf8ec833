// Decodes a RADIUS packet in place (RFC 2865 §3): checks every length once, so that the accessors need not.

export const code = {
  accessRequest: 1,
  accessAccept: 2,
  accessReject: 3,
  accountingRequest: 4,
  accountingResponse: 5,
  accessChallenge: 11,
  statusServer: 12,
  disconnectRequest: 40,
  disconnectAck: 41,
  disconnectNak: 42,
  coaRequest: 43,
  coaAck: 44,
  coaNak: 45,
} as const;

export const headerLength = 20;
export const maxPacketLength = 4096;
/** FreeRADIUS's default; a packet of 2-octet attributes could otherwise carry 2038. */
export const maxAttributes = 200;

/** A packet where it lies: octets [start, end) of `data`, header and attributes checked. */
export type Packet = {
  readonly ok: true;
  readonly data: Buffer;
  readonly start: number;
  /** After the last attribute; padding behind it is ignored. */
  readonly end: number;
  readonly code: number;
  readonly identifier: number;
  /** Offset of the Message-Authenticator attribute in `data`, −1 without one. */
  readonly messageAuthenticatorAt: number;
  /** Whether it carries an EAP-Message. */
  readonly hasEap: boolean;
};

export const malformedReasons = [
  'too_short',
  'bad_length',
  'too_long',
  'truncated',
  'attribute_type_zero',
  'attribute_length',
  'attribute_overflow',
  'too_many_attributes',
  'message_authenticator_length',
  'message_authenticator_twice',
] as const;
export type MalformedReason = (typeof malformedReasons)[number];
export type Malformed = { readonly ok: false; readonly reason: MalformedReason };

// One object per reason: a flood of rubbish allocates nothing.
const malformed = Object.fromEntries(malformedReasons.map((reason) => [reason, { ok: false, reason }])) as Readonly<
  Record<MalformedReason, Malformed>
>;

/**
 * Decodes the datagram of `size` octets at `start` of `data`. Octets beyond the Length field are padding. Attributes must fill the packet
 * exactly; values are not looked at, except that Message-Authenticator is 16 octets and there is at most one.
 */
export function decodePacket(data: Buffer, start = 0, size: number = data.length - start): Packet | Malformed {
  if (size < headerLength) return malformed.too_short;
  const length = octet(data, start + 2) * 256 + octet(data, start + 3);
  if (length < headerLength) return malformed.bad_length;
  if (length > maxPacketLength) return malformed.too_long;
  if (length > size) return malformed.truncated;
  const end = start + length;
  let messageAuthenticatorAt = -1;
  let hasEap = false;
  let count = 0;
  let at = start + headerLength;
  while (at < end) {
    if (at + 2 > end) return malformed.attribute_overflow;
    const type = octet(data, at);
    const attributeLength = octet(data, at + 1);
    if (type === 0) return malformed.attribute_type_zero;
    if (attributeLength < 2) return malformed.attribute_length;
    if (at + attributeLength > end) return malformed.attribute_overflow;
    if (type === 80) {
      if (attributeLength !== 18) return malformed.message_authenticator_length;
      if (messageAuthenticatorAt !== -1) return malformed.message_authenticator_twice;
      messageAuthenticatorAt = at;
    } else if (type === 79) hasEap = true;
    if (++count > maxAttributes) return malformed.too_many_attributes;
    at += attributeLength;
  }
  return {
    ok: true,
    data,
    start,
    end,
    code: octet(data, start),
    identifier: octet(data, start + 1),
    messageAuthenticatorAt,
    hasEap,
  };
}

/** The packet in memory of its own, for when it is needed longer than the datagram is there. Offsets into the first one do not fit it. */
export function copyPacket(packet: Packet): Packet {
  const { data, start, end, messageAuthenticatorAt } = packet;
  return {
    ...packet,
    data: Buffer.from(data.subarray(start, end)),
    start: 0,
    end: end - start,
    messageAuthenticatorAt: messageAuthenticatorAt < 0 ? -1 : messageAuthenticatorAt - start,
  };
}

/** The octet at `at`, which the caller knows to be inside. */
export function octet(data: Buffer, at: number): number {
  return data[at] as number;
}

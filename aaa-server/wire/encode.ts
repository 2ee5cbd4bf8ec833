// Builds RADIUS packets into a buffer that is used again for the next one (RFC 2865 §3, §5).
import { Buffer } from 'node:buffer';
import { attribute } from './attributes.ts';
import { authenticatorOffset, signRequest, signResponse } from './authenticators.ts';
import { digestLength, type Secret } from './md5.ts';
import { signMessageAuthenticator } from './message-authenticator.ts';
import { headerLength, maxPacketLength, octet, type Packet } from './packet.ts';

/** Text becomes its UTF-8 octets, a number 32 bits big endian, octets stay as they are. */
export type Value = string | number | Uint8Array;

/**
 * One packet at a time: `begin`, attributes in wire order, one of the `finish` functions; then octets [0, length()) of `data` are the
 * packet until the next `begin`. An attribute that does not fit (253 octets of value, 4096 in all) makes `finish` return false.
 */
export type PacketBuilder = {
  readonly data: Buffer;
  length(): number;
  /** `into`: the memory that it and what follows are built in, of at most 4096 octets. */
  begin(code: number, identifier: number, into?: Buffer): void;
  add(type: number, value: Value): void;
  addVendor(vendorId: number, type: number, value: Value): void;
  /** Attributes that are octets already: the first `length` of `octets`. */
  addEncoded(octets: Uint8Array, length: number): void;
  /** Copies the attribute at `at` of a packet as it is. */
  copy(packet: Packet, at: number): void;
  /** Reserves the Message-Authenticator here; a `finish` fills it in. */
  messageAuthenticator(): void;
  /** Offset of the Message-Authenticator, −1 without one. */
  messageAuthenticatorAt(): number;
  /** Completes a packet but for what signs it (sign-together.ts). */
  finishUnsigned(): boolean;
  /** Completes a reply to the request whose authenticator is the 16 octets at `requestAt` of `request`. */
  finishReply(request: Buffer, requestAt: number, secret: Secret): boolean;
  /** Completes an Accounting-, CoA- or Disconnect-Request. */
  finishRequest(secret: Secret): boolean;
  /** Completes an Access-Request or Status-Server, whose 16-octet authenticator is random. */
  finishAccessRequest(authenticator: Buffer, secret: Secret): boolean;
};

export function createPacketBuilder(memory: Buffer = Buffer.alloc(maxPacketLength)): PacketBuilder {
  let data = memory;
  let limit = Math.min(data.length, maxPacketLength);
  let end = headerLength;
  let overflow = false;
  let messageAuthenticatorAt = -1;

  /** Writes type and length; the offset of the value, −1 when it does not fit. */
  function header(type: number, valueLength: number): number {
    if (valueLength > 253 || end + 2 + valueLength > limit) {
      overflow = true;
      return -1;
    }
    data[end] = type;
    data[end + 1] = 2 + valueLength;
    const at = end + 2;
    end = at + valueLength;
    return at;
  }

  function vendorHeader(vendorId: number, type: number, valueLength: number): number {
    const at = header(attribute.vendorSpecific, 6 + valueLength);
    if (at < 0) return -1;
    putInteger(vendorId, at);
    data[at + 4] = type;
    data[at + 5] = 2 + valueLength;
    return at + 6;
  }

  function put(value: Value, size: number, at: number): void {
    if (typeof value === 'number') putInteger(value, at);
    else if (typeof value !== 'string') putOctets(value, at);
    // As many octets as characters: all of them are ASCII.
    else if (size === value.length) for (let i = 0; i < size; i++) data[at + i] = value.charCodeAt(i);
    else data.write(value, at);
  }

  function putInteger(value: number, at: number): void {
    if (!(value >= 0 && value <= 0xffff_ffff)) throw new RangeError(`${value} does not fit 32 bits`);
    data[at] = value >>> 24;
    data[at + 1] = value >>> 16;
    data[at + 2] = value >>> 8;
    data[at + 3] = value;
  }

  /** A loop: for so few octets it costs less than a call out of JavaScript. */
  function putOctets(value: Uint8Array, at: number): void {
    for (let i = 0; i < value.length; i++) data[at + i] = value[i] as number;
  }

  function complete(sign: () => void): boolean {
    if (overflow) return false;
    data[2] = end >>> 8;
    data[3] = end;
    sign();
    return true;
  }

  return {
    get data() {
      return data;
    },
    length: () => end,
    begin(code, identifier, into = data) {
      data = into;
      limit = Math.min(data.length, maxPacketLength);
      data[0] = code;
      data[1] = identifier;
      end = headerLength;
      overflow = false;
      messageAuthenticatorAt = -1;
    },
    add(type, value) {
      const size = sizeOf(value);
      const at = header(type, size);
      if (at >= 0) put(value, size, at);
    },
    addVendor(vendorId, type, value) {
      const size = sizeOf(value);
      const at = vendorHeader(vendorId, type, size);
      if (at >= 0) put(value, size, at);
    },
    addEncoded(octets, length) {
      if (end + length > limit) {
        overflow = true;
        return;
      }
      for (let i = 0; i < length; i++) data[end + i] = octets[i] as number;
      end += length;
    },
    copy(packet, from) {
      const length = octet(packet.data, from + 1);
      const at = header(octet(packet.data, from), length - 2);
      if (at >= 0) packet.data.copy(data, at, from + 2, from + length);
    },
    messageAuthenticator() {
      const at = header(attribute.messageAuthenticator, digestLength);
      if (at < 0) return;
      messageAuthenticatorAt = at - 2;
      for (let i = 0; i < digestLength; i++) data[at + i] = 0;
    },
    messageAuthenticatorAt: () => messageAuthenticatorAt,
    finishUnsigned: () => complete(() => undefined),
    finishReply: (request, requestAt, secret) =>
      complete(() => {
        if (messageAuthenticatorAt >= 0) {
          signMessageAuthenticator(data, 0, end, messageAuthenticatorAt, secret, request, requestAt);
        }
        signResponse(data, 0, end, request, requestAt, secret);
      }),
    finishRequest: (secret) =>
      complete(() => {
        if (messageAuthenticatorAt >= 0) signMessageAuthenticator(data, 0, end, messageAuthenticatorAt, secret);
        signRequest(data, 0, end, secret);
      }),
    finishAccessRequest: (authenticator, secret) =>
      complete(() => {
        authenticator.copy(data, authenticatorOffset, 0, digestLength);
        if (messageAuthenticatorAt >= 0) {
          signMessageAuthenticator(data, 0, end, messageAuthenticatorAt, secret, authenticator);
        }
      }),
  };
}

function sizeOf(value: Value): number {
  return typeof value === 'number' ? 4 : typeof value === 'string' ? octetsOf(value) : value.length;
}

/** In UTF-8. */
function octetsOf(text: string): number {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return Buffer.byteLength(text);
  return text.length;
}

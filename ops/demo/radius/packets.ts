// Packets of an access server by a foreign codec, the `radius` package (RFC 2865, 2866, 5176), so that our own has to meet another.
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import path from 'node:path';
import radius, { type Attribute, type Decoded } from 'radius';

export type { Attribute, Decoded };

export type RequestCode = 'Access-Request' | 'Accounting-Request';

radius.add_dictionary(path.join(import.meta.dirname, 'mikrotik.dictionary'));

const authenticatorAt = 4;
const attributesAt = 20;
const messageAuthenticator = 80;
const accessRequest = 1;
const noAuthenticator = Buffer.alloc(16);

/** An Access-Request gets a Message-Authenticator (RFC 2869 §5.14), which the package cannot sign at the place where it belongs: first. */
export function encodeRequest(
  code: RequestCode,
  identifier: number,
  attributes: readonly Attribute[],
  secret: string,
): Buffer {
  if (code === 'Accounting-Request') return radius.encode({ code, identifier, secret, attributes });
  const packet = radius.encode({
    code,
    identifier,
    secret,
    authenticator: randomBytes(16),
    attributes: [['Message-Authenticator', noAuthenticator], ...attributes],
  });
  hmacOf(packet, secret).copy(packet, attributesAt + 2);
  return packet;
}

/** The reply when it is provably the answer to `request`: right identifier, Response Authenticator and, where there is one, Message-Authenticator. */
export function readReply(response: Buffer, request: Buffer, secret: string): Decoded | undefined {
  if (response.length < attributesAt || response[1] !== request[1]) return undefined;
  // Of the request only the authenticator counts: a whole one the package would check again, its Message-Authenticator wrongly.
  const header = Buffer.from(request.subarray(0, attributesAt));
  header[0] = accessRequest;
  header.writeUInt16BE(attributesAt, 2);
  const decoded = decode(response);
  if (!decoded || !radius.verify_response({ request: header, response, secret })) return undefined;
  return messageAuthenticatorIsRight(response, secret, request.subarray(authenticatorAt, attributesAt))
    ? decoded
    : undefined;
}

/**
 * A CoA-Request or Disconnect-Request whose Request Authenticator and Message-Authenticator are right (RFC 5176 §3.4: over an
 * authenticator of zeros, which the package does not know); undefined for anything else.
 */
export function readDynamicRequest(datagram: Buffer, secret: string): Decoded | undefined {
  const decoded = decode(datagram);
  if (decoded?.code !== 'CoA-Request' && decoded?.code !== 'Disconnect-Request') return undefined;
  const packet = Buffer.from(datagram.subarray(0, datagram.readUInt16BE(2)));
  noAuthenticator.copy(packet, authenticatorAt);
  const expected = createHash('md5').update(packet).update(secret).digest();
  if (!timingSafeEqual(expected, datagram.subarray(authenticatorAt, attributesAt))) return undefined;
  return messageAuthenticatorIsRight(packet, secret, noAuthenticator) ? decoded : undefined;
}

export function encodeAnswer(request: Decoded, code: string, secret: string, attributes: Attribute[]): Buffer {
  return radius.encode_response({ packet: request, code, secret, attributes });
}

/** CHAP-Password (RFC 2865 §5.3): identifier, then MD5 over identifier, password and challenge. */
export function chapPassword(identifier: number, password: string, challenge: Buffer): Buffer {
  const id = Buffer.from([identifier]);
  return Buffer.concat([id, createHash('md5').update(id).update(password).update(challenge).digest()]);
}

/** Text of an attribute of MikroTik, or undefined. */
export function mikrotikAttribute({ attributes }: Decoded, name: string): string | undefined {
  const ofVendor = attributes['Vendor-Specific'];
  if (typeof ofVendor !== 'object' || Buffer.isBuffer(ofVendor) || ofVendor instanceof Date) return undefined;
  const value = (ofVendor as Readonly<Record<string, unknown>>)[name];
  return typeof value === 'string' ? value : undefined;
}

/** Every value of an attribute of octets, e.g. Class, as it came. */
export function octetsOf({ raw_attributes }: Decoded, type: number): Buffer[] {
  return raw_attributes.filter(([found]) => found === type).map(([, value]) => Buffer.from(value));
}

function decode(packet: Buffer): Decoded | undefined {
  try {
    return radius.decode_without_secret({ packet });
  } catch {
    return undefined; // The package throws on whatever is no packet.
  }
}

/** True when there is none. `authenticator` is what stood in the header when it was signed. */
function messageAuthenticatorIsRight(packet: Buffer, secret: string, authenticator: Buffer): boolean {
  const end = packet.readUInt16BE(2);
  for (let at = attributesAt; at + 1 < end; at += Math.max(2, packet[at + 1] ?? 0)) {
    if (packet[at] !== messageAuthenticator) continue;
    if (packet[at + 1] !== 18) return false;
    const signed = Buffer.from(packet.subarray(0, end));
    authenticator.copy(signed, authenticatorAt);
    noAuthenticator.copy(signed, at + 2);
    return timingSafeEqual(hmacOf(signed, secret), packet.subarray(at + 2, at + 18));
  }
  return true;
}

function hmacOf(packet: Buffer, secret: string): Buffer {
  return createHmac('md5', secret).update(packet).digest();
}

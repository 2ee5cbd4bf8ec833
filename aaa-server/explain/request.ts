// Access-Requests made here: what a login would look like that is explained or tried, with and without a proof.
import { randomBytes } from 'node:crypto';
import { parsePrefix } from '#ops/runtime/ip.ts';
import { macDigits } from '#policy/credentials/vouched.ts';
import { microsoft } from '../auth/mppe.ts';
import type { NasRecord } from '../subscribers/records.ts';
import { attribute, vendor } from '../wire/attributes.ts';
import { chapResponse } from '../wire/chap.ts';
import { createPacketBuilder, type PacketBuilder } from '../wire/encode.ts';
import type { Secret } from '../wire/md5.ts';
import { challengeHash, challengeResponse, ntHash } from '../wire/mschap.ts';
import { code } from '../wire/packet.ts';
import { hidePassword } from '../wire/user-password.ts';

/** What an access server would tell of a login. */
export type LoginQuestion = {
  readonly userName: string;
  readonly callingStationId?: string;
  readonly circuitId?: string;
  readonly remoteId?: string;
  readonly nasIdentifier?: string;
  readonly nasPortId?: string;
  /** Absent: Framed (2), or Call-Check (10) for a MAC address. */
  readonly serviceType?: number;
};

export const proofMethods = ['pap', 'chap', 'mschapv2'] as const;
export type ProofMethod = (typeof proofMethods)[number];
export type LoginProof = { readonly method: ProofMethod; readonly password: string };

const framed = 2;
const callCheck = 10;
const agentCircuitId = 1;
const agentRemoteId = 2;

/** The datagram, signed as the access server would; undefined when it does not fit. */
export function accessRequestOf(
  nas: Pick<NasRecord, 'address' | 'identifier'>,
  secret: Secret,
  question: LoginQuestion,
  proof?: LoginProof,
): Buffer | undefined {
  const builder = createPacketBuilder();
  const authenticator = randomBytes(16);
  builder.begin(code.accessRequest, 0);
  builder.messageAuthenticator();
  builder.add(attribute.userName, question.userName);
  if (proof) addProof(builder, authenticator, secret, question.userName, proof);
  const usual = macDigits(question.userName) && !proof ? callCheck : framed;
  builder.add(attribute.serviceType, question.serviceType ?? usual);
  const device = addressOfDevice(nas.address);
  if (device !== undefined) builder.add(attribute.nasIpAddress, device);
  const texts = [
    [attribute.nasIdentifier, question.nasIdentifier ?? nas.identifier],
    [attribute.callingStationId, question.callingStationId],
    [attribute.nasPortId, question.nasPortId],
  ] as const;
  for (const [type, text] of texts) if (text) builder.add(type, text);
  if (question.circuitId) builder.addVendor(vendor.broadbandForum, agentCircuitId, question.circuitId);
  if (question.remoteId) builder.addVendor(vendor.broadbandForum, agentRemoteId, question.remoteId);
  if (!builder.finishAccessRequest(authenticator, secret)) return undefined;
  return Buffer.from(builder.data.subarray(0, builder.length()));
}

function addProof(
  builder: PacketBuilder,
  authenticator: Buffer,
  secret: Secret,
  userName: string,
  { method, password }: LoginProof,
): void {
  const octets = Buffer.from(password);
  switch (method) {
    case 'pap':
      builder.add(attribute.userPassword, hidePassword(octets, secret, authenticator));
      return;
    case 'chap': {
      const challenge = randomBytes(16);
      builder.add(attribute.chapPassword, Buffer.concat([Buffer.of(1), chapResponse(1, octets, challenge)]));
      builder.add(attribute.chapChallenge, challenge);
      return;
    }
    case 'mschapv2': {
      const [challenge, peerChallenge] = [randomBytes(16), randomBytes(16)];
      const name = Buffer.from(userName.slice(userName.lastIndexOf('\\') + 1));
      const answered = challengeHash(peerChallenge, challenge, name);
      const response = Buffer.concat([
        ...[Buffer.of(1, 0), peerChallenge, Buffer.alloc(8), challengeResponse(answered, ntHash(octets))],
      ]);
      builder.addVendor(vendor.microsoft, microsoft.chapChallenge, challenge);
      builder.addVendor(vendor.microsoft, microsoft.chap2Response, response);
      return;
    }
    default:
      method satisfies never;
  }
}

/** Of a NAS that is a single device with IPv4. */
function addressOfDevice(address: string): number | undefined {
  const prefix = parsePrefix(address);
  return prefix?.bits === 32 && prefix.length === 32 ? Number(prefix.value) : undefined;
}

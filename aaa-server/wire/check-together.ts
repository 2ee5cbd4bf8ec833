// Checks the Message-Authenticators of requests together (RFC 3579 §3.2, RFC 5997 §2), four at a time, and hashes what hides their passwords.
import { authenticatorOffset } from './authenticators.ts';
import { digestLength, type Secret, sameDigest } from './md5.ts';
import { beginLane, endLane, hashLanes, hmacLanes, laneCount, readLane, skipLane, writeLane } from './md5-lanes.ts';
import type { Packet } from './packet.ts';

/** An Access-Request or Status-Server that carries a Message-Authenticator, and one secret of who is said to have made it. */
export type Check = {
  readonly packet: Packet;
  readonly secret: Secret;
  isRight: boolean;
  /** MD5 of the secret and the Request Authenticator: what hides the first 16 octets of a User-Password (RFC 2865 §5.2). */
  readonly key: Uint8Array;
};

const block = 64;
const zeros = new Uint8Array(digestLength);
const computed = new Uint8Array(digestLength);
const secrets: Secret[] = [];

/** The first `count` of `checks`. */
export function checkTogether(checks: readonly Check[], count: number): void {
  for (let from = 0; from < count; from += laneCount) checkSome(checks, from, Math.min(laneCount, count - from));
}

function checkSome(checks: readonly Check[], from: number, count: number): void {
  for (let lane = count; lane < laneCount; lane++) skipLane(lane);
  for (let lane = 0; lane < count; lane++) {
    const { packet, secret } = checks[from + lane] as Check;
    const { data, start, end, messageAuthenticatorAt } = packet;
    secrets[lane] = secret;
    beginLane(lane, data, start, end);
    writeLane(lane, messageAuthenticatorAt + 2 - start, zeros, 0, digestLength);
    endLane(lane, end - start, block);
  }
  hmacLanes(secrets);
  for (let lane = 0; lane < count; lane++) {
    const check = checks[from + lane] as Check;
    const { data, start, messageAuthenticatorAt } = check.packet;
    readLane(lane, computed, 0);
    check.isRight = sameDigest(computed, 0, data, messageAuthenticatorAt + 2);
    const { octets } = check.secret;
    const authenticatorAt = start + authenticatorOffset;
    beginLane(lane, octets, 0, octets.length);
    writeLane(lane, octets.length, data, authenticatorAt, authenticatorAt + digestLength);
    endLane(lane, octets.length + digestLength, 0);
  }
  hashLanes();
  for (let lane = 0; lane < count; lane++) readLane(lane, (checks[from + lane] as Check).key, 0);
}

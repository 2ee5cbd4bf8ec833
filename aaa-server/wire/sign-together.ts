// Signs replies together, four at a time: Message-Authenticator (RFC 3579 §3.2), then Response Authenticator (RFC 2865 §3).
import { authenticatorOffset } from './authenticators.ts';
import { digestLength, type Secret } from './md5.ts';
import { beginLane, endLane, hashLanes, hmacLanes, laneCount, readLane, skipLane, writeLane } from './md5-lanes.ts';

export type Unsigned = {
  /** Octets [0, length) are the packet, complete but for what is computed here; the value of its Message-Authenticator is zero. */
  readonly data: Uint8Array;
  readonly length: number;
  /** Offset of its Message-Authenticator, −1 without one. */
  readonly messageAuthenticatorAt: number;
  readonly secret: Secret;
  /** The authenticator of the request it answers. */
  readonly request: Uint8Array;
  readonly requestAt: number;
};

const block = 64;

/** The first `count` of `replies`. */
export function signTogether(replies: readonly Unsigned[], count: number): void {
  for (let from = 0; from < count; from += laneCount) signSome(replies, from, Math.min(laneCount, count - from));
}

const secrets: Secret[] = [];

function signSome(replies: readonly Unsigned[], from: number, count: number): void {
  for (let lane = 0; lane < laneCount; lane++) {
    if (lane >= count) {
      skipLane(lane);
      continue;
    }
    const { data, length, messageAuthenticatorAt, secret, request, requestAt } = replies[from + lane] as Unsigned;
    for (let i = 0; i < digestLength; i++) data[authenticatorOffset + i] = request[requestAt + i] as number;
    secrets[lane] = secret;
    beginLane(lane, data, 0, length);
    if (messageAuthenticatorAt >= 0) endLane(lane, length, block);
    else skipLane(lane);
  }
  hmacLanes(secrets);
  for (let lane = 0; lane < count; lane++) {
    const { data, length, messageAuthenticatorAt, secret } = replies[from + lane] as Unsigned;
    if (messageAuthenticatorAt >= 0) {
      const valueAt = messageAuthenticatorAt + 2;
      readLane(lane, data, valueAt);
      writeLane(lane, valueAt, data, valueAt, valueAt + digestLength);
    }
    writeLane(lane, length, secret.octets, 0, secret.octets.length);
    endLane(lane, length + secret.octets.length, 0);
  }
  hashLanes();
  for (let lane = 0; lane < count; lane++) readLane(lane, (replies[from + lane] as Unsigned).data, authenticatorOffset);
}

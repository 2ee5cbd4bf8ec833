// Who made a request, with what that teaches of the access server: when it was heard, and which of its secrets it uses.
import type { NasClient } from '../auth/nas-table.ts';
import { attribute, firstAttribute } from '../wire/attributes.ts';
import type { Secret } from '../wire/md5.ts';
import type { NasActivity } from './nas-activity.ts';
import type { RadiusRequest } from './request.ts';
import { type Verified, verifyMaker } from './verify.ts';

export function makerOf({ packet, client, activity, receivedAtMs, check }: RadiusRequest): Verified {
  const verified = verifyMaker(packet, client, check);
  if (verified.ok) activity.lastHeardAtMs = receivedAtMs;
  if (verified.ok && verified.secret) noteSecret(client, activity, verified.secret);
  return verified;
}

/** A password was right: what it says of an access server that proved nothing before. */
export function noteLogin({ packet, client, activity }: RadiusRequest, secret: Secret): void {
  if (packet.messageAuthenticatorAt >= 0) return;
  client.trust.loggedIn(packet);
  // Only a User-Password shows which secret it was; CHAP is answered with the one that was right last.
  if (firstAttribute(packet, attribute.userPassword) >= 0) noteSecret(client, activity, secret);
}

function noteSecret({ secrets, secured }: NasClient, activity: NasActivity, secret: Secret): void {
  // Through TLS everybody has the same one (RFC 6614 §2.3): it says nothing of a rotation.
  if (secured) return;
  if (secret === secrets[0]) {
    activity.current++;
    activity.currentAtMs = activity.lastHeardAtMs;
  } else {
    activity.next++;
    activity.nextAtMs = activity.lastHeardAtMs;
  }
}

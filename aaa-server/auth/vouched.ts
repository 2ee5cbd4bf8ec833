// Logins that an access server vouches for: a MAC address (RFC 2865 §5.6 Call-Check), or a line by its Agent-Circuit-Id and Agent-Remote-Id
// (RFC 4679 §3.3). Asked only for names that no login credential has.
import { lineId, lineNames, macDigits, macName, type VouchedName } from '#policy/credentials/vouched.ts';
import type { CredentialRecord, SnapshotReader } from '../subscribers/records.ts';
import {
  attribute,
  firstAttribute,
  firstVendorAttribute,
  integerOf,
  octetsAt,
  textAt,
  textOf,
  valueLength,
  vendor,
} from '../wire/attributes.ts';
import { authenticatorOffset } from '../wire/authenticators.ts';
import { chapPasswordLength, verifyChap } from '../wire/chap.ts';
import type { Packet } from '../wire/packet.ts';
import { revealPassword } from '../wire/user-password.ts';
import { findCredential } from './find-credential.ts';
import type { Attempt } from './proof.ts';

const callCheck = 10;
const agentCircuitId = 1;
const agentRemoteId = 2;

export function vouchedFor(
  snapshot: Pick<SnapshotReader, 'credential'>,
  attempt: Attempt,
): CredentialRecord | undefined {
  const mac = macOf(attempt);
  const known = mac === undefined ? undefined : lookUp(snapshot, attempt.nas.tenantId, [macName(mac)]);
  return known ?? lookUp(snapshot, attempt.nas.tenantId, lineNamesIn(attempt.packet));
}

/** Whose accounting a packet without a proof of its login is: by its user name, else by what an access server vouches for. */
export function findOwner(
  snapshot: Pick<SnapshotReader, 'credential'>,
  tenantId: number,
  userName: string,
  packet: Packet,
): CredentialRecord | undefined {
  const known = userName === '' ? undefined : findCredential(snapshot, tenantId, userName);
  if (known) return known;
  const mac = macDigits(userName);
  return lookUp(snapshot, tenantId, [...(mac === undefined ? [] : [macName(mac)]), ...lineNamesIn(packet)]);
}

/**
 * The MAC address that the request is for: a Call-Check names it, in User-Name or Calling-Station-Id; otherwise it stands as user name and
 * as password, and where the station is named, too, it is the same.
 */
function macOf(attempt: Attempt): string | undefined {
  const { packet, userName } = attempt;
  const named = macDigits(userName);
  const station = macDigits(textOf(packet, attribute.callingStationId) ?? '');
  if (integerOf(packet, attribute.serviceType) === callCheck) return named ?? station;
  if (named === undefined || (station !== undefined && station !== named)) return undefined;
  return isPassword(attempt, userName) ? named : undefined;
}

/** Whether the user name is the password too, by PAP or CHAP. */
function isPassword({ packet, secrets }: Attempt, userName: string): boolean {
  const { data, start } = packet;
  const authenticatorAt = start + authenticatorOffset;
  const name = Buffer.from(userName);
  const papAt = firstAttribute(packet, attribute.userPassword);
  if (papAt >= 0) {
    return secrets.some((secret) =>
      revealPassword(octetsAt(packet, papAt), secret, data, authenticatorAt)?.equals(name),
    );
  }
  const chapAt = firstAttribute(packet, attribute.chapPassword);
  if (chapAt < 0 || valueLength(packet, chapAt) !== chapPasswordLength) return false;
  const challengeAt = firstAttribute(packet, attribute.chapChallenge);
  const challenge =
    challengeAt >= 0 ? octetsAt(packet, challengeAt) : data.subarray(authenticatorAt, authenticatorAt + 16);
  return verifyChap(octetsAt(packet, chapAt), name, challenge);
}

function lineNamesIn(packet: Packet): readonly VouchedName[] {
  const idOf = (type: number) => {
    const at = firstVendorAttribute(packet, vendor.broadbandForum, type);
    return at < 0 ? undefined : lineId(textAt(packet, at, 'latin1'));
  };
  return lineNames(idOf(agentCircuitId), idOf(agentRemoteId));
}

function lookUp(
  snapshot: Pick<SnapshotReader, 'credential'>,
  tenantId: number,
  names: readonly VouchedName[],
): CredentialRecord | undefined {
  for (const { realm, userName } of names) {
    const found = snapshot.credential(tenantId, realm, userName);
    if (found) return found;
  }
  return undefined;
}

// Says how to tell an access server about a session: where, with which secret, naming which session, to become what.
import { isIP, isIPv4 } from 'node:net';
import type { NasRecord } from '#aaa-server/subscribers/records.ts';
import { attribute } from '#aaa-server/wire/attributes.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import type { Keyring } from '#ops/runtime/keyring.ts';
import type { Outcome } from '#policy/access/outcome.ts';
import type { LiveSession } from '#policy/ledger/types.ts';
import type { NasAttribute, NasProfile, SessionKey } from '#policy/nas/profile.ts';
import { nasProfile } from '#policy/nas/vendors.ts';
import type { CoaRequest } from './client.ts';
import type { CoaKind } from './packet.ts';

/** The request, or the reason why there can be none. */
export function coaRequestFor(
  session: LiveSession,
  nas: NasRecord | undefined,
  outcome: Outcome,
  kind: CoaKind,
  keyring: Keyring,
): CoaRequest | { readonly reason: 'nas_unknown' | 'no_coa_address' | 'no_secret' | 'no_attributes' } {
  if (!nas) return { reason: 'nas_unknown' };
  const address = (nas.coaAddress ?? session.sourceAddress).replace(/^::ffff:(?=\d+\.)/i, '');
  if (isIP(address) === 0) return { reason: 'no_coa_address' };
  const cipher = nas.secretCiphers[0];
  if (!cipher) return { reason: 'no_secret' };
  const profile = nasProfile(nas.vendor);
  const speed = outcome.kind === 'accept' || outcome.kind === 'throttle' ? outcome.speed : null;
  if (kind === 'coa' && !speed) return { reason: 'no_attributes' };
  return {
    kind,
    nas: session.nasInstance,
    address,
    port: nas.coaPort,
    ratePerS: nas.coaRatePerS,
    secret: createSecret(keyring.decrypt('nas', `${nas.tenantId}:${nas.address}`, cipher)),
    // A Disconnect-Request carries nothing but identification, else it is refused with 401 (RFC 5176 §3).
    attributes: [...identification(session, profile), ...(kind === 'coa' && speed ? profile.rate(speed) : [])],
  };
}

/** The attributes that name the session, as its Start gave them; those it lacked are left out. */
function identification(session: LiveSession, profile: NasProfile): NasAttribute[] {
  return profile.sessionKeys.flatMap((key) => {
    const found = attributeOf[key](session);
    return found ? [{ vendor: 0, ...found }] : [];
  });
}

type Found = { readonly type: number; readonly value: string | number | Uint8Array } | null;

const attributeOf: Readonly<Record<SessionKey, (session: LiveSession) => Found>> = {
  sessionId: (session) => octets(attribute.acctSessionId, session.sessionId, 'latin1'),
  userName: (session) => octets(attribute.userName, session.userName, 'utf8'),
  framedIp: (session) => ipv4(attribute.framedIpAddress, session.framedIp),
  nasIpAddress: (session) => ipv4(attribute.nasIpAddress, session.nasIpAddress),
  nasPort: (session) =>
    /^\d{1,10}$/.test(session.nasPort) ? { type: attribute.nasPort, value: Number(session.nasPort) } : null,
  nasPortId: (session) => octets(attribute.nasPortId, session.nasPortId, 'utf8'),
  callingStationId: (session) => octets(attribute.callingStationId, session.callingStationId, 'utf8'),
  calledStationId: (session) => octets(attribute.calledStationId, session.calledStationId, 'utf8'),
};

/** The octets that the Start carried: the session id is kept as latin1 text of them, everything else as UTF-8. */
function octets(type: number, text: string, encoding: 'latin1' | 'utf8'): Found {
  return text === '' ? null : { type, value: Buffer.from(text, encoding) };
}

function ipv4(type: number, address: string): Found {
  return isIPv4(address) ? { type, value: Uint8Array.from(address.split('.').map(Number)) } : null;
}

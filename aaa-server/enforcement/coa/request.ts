// Says how to tell an access server about a session: where, with which secret, naming which session, to become what.
import { isIP, isIPv4 } from 'node:net';
import type { NasRecord } from '#aaa-server/subscribers/records.ts';
import { attribute } from '#aaa-server/wire/attributes.ts';
import { parsePrefix } from '#aaa-server/wire/ip-prefix.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import type { Keyring } from '#ops/runtime/keyring.ts';
import type { Outcome } from '#policy/access/outcome.ts';
import type { LiveSession } from '#policy/ledger/types.ts';
import { configuredNas, type ToldSpeed } from '#policy/nas/configured.ts';
import type { NasAttribute, NasProfile, SessionKey } from '#policy/nas/profile.ts';
import type { CoaRequest } from './client.ts';
import type { CoaKind } from './packet.ts';

/** What a session is to become. `from`: what it has now; null when unknown. */
export type SessionChange = {
  readonly session: LiveSession;
  readonly desired: Outcome;
  readonly from: Outcome | null;
  readonly by: CoaKind;
};

/** `match`: nearest = the speed has no policy on this access server, and another one stands in. */
export type BuiltRequest = CoaRequest & { readonly match: ToldSpeed['match'] };

export type NoRequest = {
  readonly reason:
    | 'nas_unknown'
    | 'no_coa_address'
    | 'no_secret'
    | 'no_session_key'
    | 'no_attributes'
    | 'no_speed_policy';
};

/** The request, or the reason why there can be none. `usesNextSecret`: the rotation of its secret has reached the device. */
export function coaRequestFor(
  { session, desired, from, by: kind }: SessionChange,
  nas: NasRecord | undefined,
  keyring: Keyring,
  usesNextSecret = false,
): BuiltRequest | NoRequest {
  if (!nas) return { reason: 'nas_unknown' };
  const address = (nas.coaAddress ?? session.sourceAddress).replace(/^::ffff:(?=\d+\.)/i, '');
  if (isIP(address) === 0) return { reason: 'no_coa_address' };
  const cipher = (usesNextSecret && nas.secretCiphers[1]) || nas.secretCiphers[0];
  if (!cipher) return { reason: 'no_secret' };
  const configured = configuredNas(nas);
  const named = identification(session, configured.profile);
  if (named.length === 0) return { reason: 'no_session_key' };
  const speed = speedOf(desired);
  if (kind === 'coa' && !speed) return { reason: 'no_attributes' };
  // A Disconnect-Request carries nothing but identification, else it is refused with 401 (RFC 5176 §3).
  const told = kind === 'coa' && speed ? configured.tell(speed, speedOf(from)) : nothing;
  if (!told) return { reason: 'no_speed_policy' };
  return {
    kind,
    nas: session.nasInstance,
    address,
    port: nas.coaPort ?? configured.profile.coaPort,
    ratePerS: nas.coaRatePerS,
    secret: createSecret(keyring.decrypt('nas', `${nas.tenantId}:${nas.address}`, cipher)),
    attributes: [...named, ...told.attributes],
    match: told.match,
  };
}

const nothing: ToldSpeed = { attributes: [], match: 'exact' };

function speedOf(outcome: Outcome | null) {
  return outcome && 'speed' in outcome ? outcome.speed : null;
}

/** The attributes that name the session, as its Start gave them: the first way of the vendor's for which the session has what it needs. */
export function identification(session: LiveSession, profile: NasProfile): NasAttribute[] {
  for (const { all, also = [], sessionIdLike } of profile.namings) {
    if (sessionIdLike && !sessionIdLike.test(session.sessionId)) continue;
    const needed = attributesOf(session, all);
    if (needed.length === all.length) return [...needed, ...attributesOf(session, also)];
  }
  return [];
}

function attributesOf(session: LiveSession, keys: readonly SessionKey[]): NasAttribute[] {
  return keys.flatMap((key) => {
    const found = attributeOf[key](session);
    return found ? [{ vendor: 0, ...found }] : [];
  });
}

type Found = { readonly type: number; readonly value: string | number | Uint8Array } | null;

const attributeOf: Readonly<Record<SessionKey, (session: LiveSession) => Found>> = {
  sessionId: (session) => octets(attribute.acctSessionId, session.sessionId, 'latin1'),
  userName: (session) => octets(attribute.userName, session.userName, 'utf8'),
  framedIp: (session) => ipv4(attribute.framedIpAddress, session.framedIp),
  framedIpv6Prefix: (session) => prefix(attribute.framedIpv6Prefix, session.framedIpv6Prefix),
  delegatedIpv6Prefix: (session) => prefix(attribute.delegatedIpv6Prefix, session.delegatedIpv6Prefix),
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

function prefix(type: number, text: string): Found {
  const value = text === '' ? undefined : parsePrefix(text);
  return value ? { type, value } : null;
}

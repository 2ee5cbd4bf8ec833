// Which attributes of a home server's reply reach the access server: a partner must not open its management, or route other people's addresses.
import type { AllowedAttribute, Hiding } from '#policy/proxy/settings.ts';
import { microsoft } from '../auth/mppe.ts';
import { attribute, vendor } from '../wire/attributes.ts';
import { code } from '../wire/packet.ts';

export type Allowed = {
  readonly hiding: Hiding;
  readonly tagged: boolean;
  /** Only with this 32-bit value. */
  readonly only?: number;
};

/** Undefined: it does not pass. */
export type AllowList = (replyCode: number, vendorId: number, type: number) => Allowed | undefined;

const plain: Allowed = { hiding: 'none', tagged: false };
const salted: Allowed = { hiding: 'salted', tagged: false };
const password: Allowed = { hiding: 'password', tagged: false };

/** What the authentication itself needs passes in every reply. */
const ofAuthentication = new Map<number, Allowed>([
  [attribute.replyMessage, plain],
  [attribute.state, plain],
  [attribute.eapMessage, plain],
  [attribute.errorCause, plain],
]);
/** How long an answer to the challenge is waited for (RFC 2869 §5.13… RFC 3579 §2.3). */
const ofChallenges = new Map<number, Allowed>([
  [attribute.sessionTimeout, plain],
  [attribute.idleTimeout, plain],
]);
const framed = 2;
/** What a subscriber's session is made of, and nothing that grants more: no filters, routes, tunnels, and of services only Framed. */
const usual = new Map<number, Allowed>([
  [attribute.serviceType, { ...plain, only: framed }],
  ...[attribute.userName, attribute.framedProtocol, attribute.framedIpAddress, attribute.framedIpNetmask].map(pass),
  // Framed-MTU, Framed-Compression, Termination-Action, Port-Limit
  ...[12, 13, 29, 62].map(pass),
  ...[attribute.class, attribute.sessionTimeout, attribute.idleTimeout, attribute.acctInterimInterval].map(pass),
  ...[attribute.chargeableUserIdentity, attribute.framedInterfaceId, attribute.framedIpv6Prefix].map(pass),
  ...[attribute.delegatedIpv6Prefix, attribute.framedIpv6Address].map(pass),
]);

export function createAllowList(attributes: readonly AllowedAttribute[] | null): AllowList {
  const ofRealm =
    attributes &&
    new Map(attributes.map(({ vendor, type, hiding, tagged }) => [placeOf(vendor, type), { hiding, tagged }] as const));
  return (replyCode, vendorId, type) => {
    const needed = vendorId === 0 ? ofAuthentication.get(type) : neededOfVendor(vendorId, type);
    if (needed) return needed;
    if (replyCode === code.accessChallenge) return vendorId === 0 ? ofChallenges.get(type) : undefined;
    if (replyCode !== code.accessAccept) return undefined;
    if (vendorId === 0 && type === attribute.class) return plain;
    if (ofRealm) return ofRealm.get(placeOf(vendorId, type));
    return vendorId === 0 ? usual.get(type) : undefined;
  };
}

/** The answers of MS-CHAP and the keys that come of it (RFC 2548). */
function neededOfVendor(vendorId: number, type: number): Allowed | undefined {
  if (vendorId !== vendor.microsoft) return undefined;
  if (type === microsoft.mppeSendKey || type === microsoft.mppeRecvKey) return salted;
  return type === microsoft.chapMppeKeys ? password : plain;
}

function pass(type: number): [number, Allowed] {
  return [type, plain];
}

function placeOf(vendorId: number, type: number): number {
  return vendorId * 256 + type;
}

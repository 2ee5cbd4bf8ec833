// Whether an Access-Request asks for a login to the device itself, as staff do, or for service to a subscriber. ops/docs/aaa/device-login.md has what vendors send.
import { macDigits } from '#policy/credentials/vouched.ts';
import { serviceType } from '#policy/nas/device-access.ts';
import {
  attribute,
  eachAttribute,
  eachVendorAttribute,
  integerAt,
  integerOf,
  textOf,
  vendor,
} from '../wire/attributes.ts';
import type { Packet } from '../wire/packet.ts';

/**
 * What its Service-Type (RFC 2865 §5.6) says of a request. device: a prompt of the device and nothing else. login: a login to a host, which is
 * what consoles send, and hotspots. subscriber: another service. nothing: there is none, or one that says only that a password is to be checked.
 */
export type AskedService = 'device' | 'login' | 'subscriber' | 'nothing';

/** Administrative, NAS-Prompt, Callback-NAS-Prompt, Callback-Administrative. */
const prompts: readonly number[] = [serviceType.administrative, serviceType.nasPrompt, 9, 11];
/** Authenticate-Only: what the RADIUS module of Linux sends for its logins. */
const authenticateOnly = 8;

/** Most logins are Framed: one look. @param nasVendor of the access server's record */
export function askedService(packet: Packet, nasVendor: string): AskedService {
  const value = integerOf(packet, attribute.serviceType);
  if (value === serviceType.framed) return 'subscriber';
  if (value === serviceType.login) return 'login';
  // IOS sends none with logins to itself unless it is told to, and always one with subscribers'.
  if (value === undefined) return nasVendor === 'cisco' && isTerminal(packet) ? 'login' : 'nothing';
  if (value === authenticateOnly) return 'nothing';
  return prompts.includes(value) ? 'device' : 'subscriber';
}

function isTerminal(packet: Packet): boolean {
  const portType = integerOf(packet, attribute.nasPortType);
  return portType !== undefined && portTypesOfStaff.includes(portType);
}

const only: ReadonlySet<number> = new Set([
  attribute.framedProtocol,
  attribute.framedIpAddress,
  attribute.calledStationId,
  attribute.eapMessage,
  attribute.framedIpv6Prefix,
  attribute.framedInterfaceId,
  attribute.delegatedIpv6Prefix,
  attribute.framedIpv6Address,
]);
/** Async is a console, Virtual a terminal over the network: staff have nothing else. */
const portTypesOfStaff: readonly number[] = [0, 5];
const chilliSpot = 14559;
/** Mikrotik-Host-IP, of the hotspot. */
const hostIp = 10;

/** Whether it has what no login to the device itself carries. */
export function isOfSubscriber(packet: Packet): boolean {
  let found = false;
  eachAttribute(packet, (type, at) => {
    if (only.has(type)) found = true;
    if (type === attribute.nasPortType) {
      const portType = integerAt(packet, at);
      if (portType !== undefined && !portTypesOfStaff.includes(portType)) found = true;
    }
    if (type === attribute.vendorSpecific) {
      eachVendorAttribute(packet, at, (vendorId, vendorType) => {
        if (vendorId === vendor.wispr || vendorId === vendor.broadbandForum || vendorId === chilliSpot) found = true;
        if (vendorId === vendor.mikrotik && vendorType === hostIp) found = true;
      });
    }
  });
  // Staff come from an address or a line, subscribers of hotspots and switches from a MAC address.
  return found || macDigits(textOf(packet, attribute.callingStationId) ?? '') !== undefined;
}

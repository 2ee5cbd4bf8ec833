// The attributes of an Access-Accept that give a subscriber its assigned addresses (RFC 2865 §5.8, §5.22; RFC 3162 §2.3; RFC 4818 §3).

import { type IpPrefix, parsePrefix } from '#ops/runtime/ip.ts';
import type { NasAttribute } from '#policy/nas/profile.ts';
import type { AddressRecord } from '../subscribers/records.ts';
import { attribute } from '../wire/attributes.ts';

const hostMask = 0xffff_ffff;

/** Assignments that are no prefix of their kind's family are left out. */
export function addressAttributes(addresses: readonly AddressRecord[]): NasAttribute[] {
  const attributes: NasAttribute[] = [];
  for (const address of addresses) {
    const prefix = parsePrefix(address.prefix);
    if (prefix) attributes.push(...attributesOf(address, prefix));
  }
  return attributes;
}

function attributesOf({ kind, prefix: text }: AddressRecord, prefix: IpPrefix): NasAttribute[] {
  const bits = kind === 'ipv4' || kind === 'framed_route' ? 32 : 128;
  if (prefix.bits !== bits) return [];
  switch (kind) {
    case 'ipv4':
      return [
        { vendor: 0, type: attribute.framedIpAddress, value: Number(prefix.value) },
        { vendor: 0, type: attribute.framedIpNetmask, value: hostMask },
      ];
    // Gateway 0.0.0.0: through the subscriber's own address.
    case 'framed_route':
      return [{ vendor: 0, type: attribute.framedRoute, value: `${text} 0.0.0.0 1` }];
    case 'ipv6_prefix':
      return [{ vendor: 0, type: attribute.framedIpv6Prefix, value: prefixOctets(prefix) }];
    case 'delegated_prefix':
      return [{ vendor: 0, type: attribute.delegatedIpv6Prefix, value: prefixOctets(prefix) }];
  }
  return kind satisfies never;
}

/** A reserved octet, the prefix length, then only as many octets as hold the prefix. */
function prefixOctets({ length, value }: IpPrefix): Uint8Array {
  const octets = new Uint8Array(2 + Math.ceil(length / 8));
  octets[1] = length;
  for (let at = 2; at < octets.length; at++) octets[at] = Number((value >> BigInt(128 - 8 * (at - 1))) & 0xffn);
  return octets;
}

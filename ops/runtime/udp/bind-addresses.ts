// Which addresses a UDP server may bind: a wildcard on a host with several addresses would answer from the wrong one.
import { isIP, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';

type Interfaces = ReturnType<typeof networkInterfaces>;

/** Which of these are no addresses, one sentence each; empty when none. */
export function addressProblems(addresses: readonly string[]): string[] {
  return addresses.filter((address) => isIP(address) === 0).map((address) => `${address} is not an IP address`);
}

/** Which of these a driver that cannot choose the source of a reply must not bind on this host, one sentence each. */
export function wildcardProblems(addresses: readonly string[], interfaces: Interfaces = networkInterfaces()): string[] {
  const problems: string[] = [];
  for (const address of addresses) {
    if (address !== '0.0.0.0' && address !== '::') continue;
    const own = [...ownAddresses(interfaces, 'IPv4'), ...(address === '::' ? ownAddresses(interfaces, 'IPv6') : [])];
    const several = new Set(own.map((one) => (isIPv6(one) ? 'IPv6' : 'IPv4'))).size < own.length;
    if (several) {
      problems.push(
        `BIND_HOST ${address} is ambiguous: this host has ${own.join(', ')}, and a reply must leave from the address that was asked; list the addresses instead`,
      );
    }
  }
  return problems;
}

/** Addresses that peers can reach, without loopback and link-local ones. */
function ownAddresses(interfaces: Interfaces, family: 'IPv4' | 'IPv6'): string[] {
  return Object.values(interfaces)
    .flatMap((entries) => entries ?? [])
    .filter((entry) => entry.family === family && !entry.internal && !entry.address.startsWith('fe80:'))
    .map((entry) => entry.address);
}

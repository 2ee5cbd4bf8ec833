// Juniper MX (and the E series before it): a speed is a service of the router, started and ended by name, e.g. `internet(20m,5m)`.
import { accessName } from './device-access.ts';
import { nasProfileOf } from './profile.ts';

const vendor = 4874;
const attribute = {
  ingressPolicy: 10,
  serviceActivate: 65,
  serviceDeactivate: 66,
  ipv6NdRaPool: 157,
  ipv6DelegatedPool: 161,
};
/** Logins to the device itself speak the dictionary of Junos, not that of its subscriber management. */
const junos = { vendor: 2636, localUserName: 1 };
const encoder = new TextEncoder();

export const juniper = nasProfileOf({
  vendor: 'juniper',
  title: 'Juniper MX',
  named: ({ name }, before) => [
    ...(before && before.name !== name ? [{ vendor, type: attribute.serviceDeactivate, value: before.name }] : []),
    { vendor, type: attribute.serviceActivate, value: tagged(1, name) },
  ],
  // A service that goes on beside the new one would leave the old speed: without its name it cannot be ended.
  live: 'when_known',
  namings: [{ all: ['sessionId'] }, { all: ['userName', 'framedIp'] }, { all: ['userName'] }],
  // Acct-Input-Octets and -Output-Octets count IPv4 and IPv6 together; these count the IPv6 part again.
  ipv6Rule: 'subset',
  ipv6Counters: { vendor, inputOctets: 151, outputOctets: 152, inputGigawords: 155, outputGigawords: 156 },
  pools: {
    ipv4: { vendor: 0, type: 88 },
    ipv6: { vendor, type: attribute.ipv6NdRaPool },
    delegated: { vendor, type: attribute.ipv6DelegatedPool },
  },
  addressList: { vendor, type: attribute.ingressPolicy },
  // A user template of the router, whose class says what it may do.
  deviceAccess: (access) => [{ vendor: junos.vendor, type: junos.localUserName, value: accessName(access) }],
});

/** A text behind its tag (RFC 2868 §3): attributes of one service carry the same. */
function tagged(tag: number, text: string): Uint8Array {
  return Uint8Array.of(tag, ...encoder.encode(text));
}

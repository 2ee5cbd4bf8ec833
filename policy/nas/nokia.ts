// Nokia (Alcatel-Lucent) 7750 SR OS: speeds are SLA profiles of the router, and a session is named by one set of keys only.
import { accessName } from './device-access.ts';
import { nasProfileOf } from './profile.ts';

const vendor = 6527;
const attribute = {
  access: 1,
  profile: 4,
  defaultAction: 5,
  slaProfile: 13,
  delegatedIpv6Pool: 131,
  subscriberFilter: 134,
  portalUrl: 177,
  slaacIpv6Pool: 181,
};

export const nokia = nasProfileOf({
  vendor: 'nokia',
  title: 'Nokia SR OS',
  named: ({ name }) => [{ vendor, type: attribute.slaProfile, value: name }],
  // Two sets that do not name the same host are refused with 503. Acct-Session-Id counts in its number format alone: 22 hex
  // digits, or ten octets with dashes between.
  namings: [
    { all: ['sessionId'], sessionIdLike: /^([0-9a-f]{22}|[0-9a-f]{2}(-[0-9a-f]{2}){9})$/i },
    { all: ['nasPortId', 'framedIp'] },
    { all: ['nasPortId', 'delegatedIpv6Prefix'] },
    { all: ['nasPortId', 'framedIpv6Prefix'] },
    { all: ['userName', 'framedIp'] },
    { all: ['userName'] },
  ],
  // Alc-Acct-I-… and -O-…: in and out of profile, high and low priority, all. A queue reports those of its mode.
  queueCounters: { vendor, input: [19, 20, 108, 109, 116], output: [21, 22, 110, 111, 117] },
  pools: {
    ipv4: { vendor: 0, type: 88 },
    ipv6: { vendor, type: attribute.slaacIpv6Pool },
    delegated: { vendor, type: attribute.delegatedIpv6Pool },
  },
  addressList: { vendor, type: attribute.subscriberFilter },
  redirectUrl: { vendor, type: attribute.portalUrl },
  // Access 2 is the console (Telnet and SSH too), 3 also FTP. Default action 3, none, leaves the decision to the profile; without one of these
  // the router refuses the login. `administrative` is a profile that every router has.
  deviceAccess: (access) => [
    { vendor, type: attribute.access, value: access === 'full' ? 3 : 2 },
    { vendor, type: attribute.profile, value: access === 'full' ? 'administrative' : accessName(access) },
    { vendor, type: attribute.defaultAction, value: 3 },
  ],
});

// Cisco ISG and ASR (IOS, IOS XE, IOS XR): speeds are policy-maps of the router, named in Cisco-AVPair.
import { ciscoPrivilege, serviceType, serviceTypeAttribute } from './device-access.ts';
import { nasProfileOf } from './profile.ts';

const vendor = 9;
const avPair = 1;

export const cisco = nasProfileOf({
  vendor: 'cisco',
  title: 'Cisco ISG and ASR',
  coaPort: 1700,
  // "in" and "out" are the router's view: in is the subscriber's upload.
  named: ({ name, upName }) => [
    { vendor, type: avPair, value: `subscriber:sub-qos-policy-in=${upName ?? name}` },
    { vendor, type: avPair, value: `subscriber:sub-qos-policy-out=${name}` },
  ],
  upNames: true,
  // One key is enough; a second one that differs by a letter would only be a reason to refuse.
  namings: [{ all: ['sessionId'] }, { all: ['userName'], also: ['framedIp'] }],
  pools: { ipv4: { vendor, type: avPair, prefix: 'ip:addr-pool=' }, ipv6: null, delegated: null },
  // The access list of what the subscriber sends; a portal is a service of the router, which redirects by itself.
  addressList: { vendor, type: avPair, prefix: 'ip:inacl=' },
  // Administrative alone would be level 15, whatever the pair says on some releases.
  deviceAccess: (access) => [serviceTypeAttribute(serviceType.nasPrompt), ciscoPrivilege(access)],
});

// ZTE M6000 and T600: sustained rates in kilobits per second, apart for IPv4 and IPv6.
import { byServiceType } from './device-access.ts';
import { nasProfileOf } from './profile.ts';
import { kbps } from './units.ts';

const vendor = 3902;
const attribute = {
  pppoeUrl: 27,
  qosProfileDown: 82,
  scrDown: 83,
  scrUp: 89,
  qosProfileUp: 94,
  privilege: 104,
  scrUpIpv6: 228,
  scrDownIpv6: 233,
};

export const zte = nasProfileOf({
  vendor: 'zte',
  title: 'ZTE M6000',
  // Both families: one that is not told has no limit.
  rate: ({ upBps, downBps }) => [
    { vendor, type: attribute.scrUp, value: kbps(upBps) },
    { vendor, type: attribute.scrDown, value: kbps(downBps) },
    { vendor, type: attribute.scrUpIpv6, value: kbps(upBps) },
    { vendor, type: attribute.scrDownIpv6, value: kbps(downBps) },
  ],
  named: ({ name, upName }) => [
    { vendor, type: attribute.qosProfileUp, value: upName ?? name },
    { vendor, type: attribute.qosProfileDown, value: name },
  ],
  upNames: true,
  namings: [{ all: [], also: ['sessionId', 'userName'] }],
  redirectUrl: { vendor, type: attribute.pppoeUrl },
  // 0 is the lowest level, 15 the highest.
  deviceAccess: (access) => [
    byServiceType(access),
    { vendor, type: attribute.privilege, value: { read: 1, write: 10, full: 15 }[access] },
  ],
});

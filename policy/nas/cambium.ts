// Cambium: ePMP radios take kilobits per second of their own, Wi-Fi access points the WISPr attributes; each ignores the other's.
import { byServiceType } from './device-access.ts';
import { wisprRate } from './generic.ts';
import { nasProfileOf } from './profile.ts';
import { gigawords, kbps } from './units.ts';

const vendor = 17713;
const attribute = {
  authRole: 1,
  maxBurstUp: 26,
  maxBurstDown: 27,
  quotaTotal: 155,
  quotaTotalGigawords: 156,
  userLevel: 50,
};

export const cambium = nasProfileOf({
  vendor: 'cambium',
  title: 'Cambium ePMP and Wi-Fi',
  rate: (speed) => [
    { vendor, type: attribute.maxBurstUp, value: kbps(speed.upBps) },
    { vendor, type: attribute.maxBurstDown, value: kbps(speed.downBps) },
    ...wisprRate(speed),
  ],
  namings: [{ all: [], also: ['sessionId', 'callingStationId'] }],
  redirectUrl: { vendor: 14122, type: 4 },
  // The role of point-to-point radios (1 reads, 2 administers) and the level of ePMP (5 reads, 2 installs, 3 administers).
  deviceAccess: (access) => [
    byServiceType(access),
    { vendor, type: attribute.authRole, value: access === 'read' ? 1 : 2 },
    { vendor, type: attribute.userLevel, value: { read: 5, write: 2, full: 3 }[access] },
  ],
  quota: ({ totalBytes }) => {
    const left = gigawords(totalBytes);
    return [
      { vendor, type: attribute.quotaTotal, value: left.octets },
      { vendor, type: attribute.quotaTotalGigawords, value: left.gigawords },
    ];
  },
});

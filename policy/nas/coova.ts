// CoovaChilli: kilobits per second in the attributes of ChilliSpot.
import { nasProfileOf } from './profile.ts';
import { gigawords, kbps } from './units.ts';

const vendor = 14559;
const attribute = { maxTotalOctets: 3, bandwidthMaxUp: 4, bandwidthMaxDown: 5, maxTotalGigawords: 23 };

export const coova = nasProfileOf({
  vendor: 'coova',
  title: 'CoovaChilli',
  rate: ({ upBps, downBps }) => [
    { vendor, type: attribute.bandwidthMaxUp, value: kbps(upBps) },
    { vendor, type: attribute.bandwidthMaxDown, value: kbps(downBps) },
  ],
  // Without a User-Name it refuses.
  namings: [{ all: ['userName'], also: ['sessionId'] }],
  redirectUrl: { vendor: 14122, type: 4 },
  quota: ({ totalBytes }) => {
    const left = gigawords(totalBytes);
    return [
      { vendor, type: attribute.maxTotalOctets, value: left.octets },
      { vendor, type: attribute.maxTotalGigawords, value: left.gigawords },
    ];
  },
});

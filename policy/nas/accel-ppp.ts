// accel-ppp: its shaper reads kilobits per second out of Filter-Id, download first.
import { filterId, nasProfileOf, textAttribute } from './profile.ts';
import { kbps } from './units.ts';

export const accelPpp = nasProfileOf({
  vendor: 'accel-ppp',
  title: 'accel-ppp',
  rate: ({ upBps, downBps }) => [textAttribute(filterId, `${kbps(downBps)}/${kbps(upBps)}`)],
  // Every key that is sent must match. NAS-Port is its unit, NAS-Port-Id the name of its interface.
  namings: [{ all: [], also: ['sessionId', 'userName', 'framedIp'] }],
  // Filter-Id is the speed.
  addressList: null,
});

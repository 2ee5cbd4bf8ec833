// Any access server that understands the WISPr bandwidth attributes: bits per second, one attribute for each direction.
import type { Speed } from '../speed.ts';
import { type NasAttribute, nasProfileOf } from './profile.ts';
import { clamped } from './units.ts';

const vendor = 14122;
const attribute = { redirectionUrl: 4, bandwidthMinUp: 5, bandwidthMinDown: 6, bandwidthMaxUp: 7, bandwidthMaxDown: 8 };

export const generic = nasProfileOf({
  vendor: 'generic',
  title: 'Any other (WISPr attributes)',
  rate: (speed, shape) => [
    ...wisprRate(speed),
    ...(shape?.least
      ? [
          { vendor, type: attribute.bandwidthMinUp, value: clamped(shape.least.upBps) },
          { vendor, type: attribute.bandwidthMinDown, value: clamped(shape.least.downBps) },
        ]
      : []),
  ],
  redirectUrl: { vendor, type: attribute.redirectionUrl },
});

/** WISPr-Bandwidth-Max-Up and -Down. */
export function wisprRate(speed: Speed): NasAttribute[] {
  return [
    { vendor, type: attribute.bandwidthMaxUp, value: clamped(speed.upBps) },
    { vendor, type: attribute.bandwidthMaxDown, value: clamped(speed.downBps) },
  ];
}

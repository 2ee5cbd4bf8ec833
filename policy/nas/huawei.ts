// Huawei NetEngine and ME60: committed and peak rates in bits per second, or the name of a QoS profile.
import type { Speed } from '../speed.ts';
import { serviceType, serviceTypeAttribute } from './device-access.ts';
import { type NasAttribute, nasProfileOf, type Shape } from './profile.ts';
import { clamped } from './units.ts';

const vendor = 2011;
const attribute = {
  inputAverageRate: 2,
  inputPeakRate: 3,
  outputAverageRate: 5,
  outputPeakRate: 6,
  remanentVolume: 15,
  execPrivilege: 29,
  qosProfileName: 31,
  policyName: 95,
  httpRedirectUrl: 140,
  downQosProfileName: 182,
  delegatedIpv6Pool: 191,
};

export const huawei = nasProfileOf({
  vendor: 'huawei',
  title: 'Huawei NetEngine and ME60',
  rate,
  named: ({ name, upName }) => [
    { vendor, type: attribute.qosProfileName, value: upName ?? name },
    ...(upName === null ? [] : [{ vendor, type: attribute.downQosProfileName, value: name }]),
  ],
  upNames: true,
  namings: [
    { all: ['sessionId'], also: ['userName'] },
    { all: ['userName'], also: ['framedIp'] },
  ],
  // Where the router counts the families separately these hold what the standard counters lack.
  ipv6Rule: 'sum',
  ipv6Counters: { vendor, inputOctets: 144, outputOctets: 145, inputGigawords: 148, outputGigawords: 149 },
  pools: { ipv4: { vendor: 0, type: 88 }, ipv6: null, delegated: { vendor, type: attribute.delegatedIpv6Pool } },
  addressList: { vendor, type: attribute.policyName },
  redirectUrl: { vendor, type: attribute.httpRedirectUrl },
  // Kilobytes, rounded down: an octet too many is one too many.
  quota: ({ totalBytes }) => [{ vendor, type: attribute.remanentVolume, value: clamped(totalBytes / 1024) }],
  // Levels: 1 monitors, 2 configures, 3 to 15 manage.
  deviceAccess: (access) => [
    serviceTypeAttribute(serviceType.administrative),
    { vendor, type: attribute.execPrivilege, value: { read: 1, write: 2, full: 15 }[access] },
  ],
});

/** Both rates always: a peak rate alone is refused, and average and peak of zero mean no limit. */
function rate(speed: Speed, shape?: Shape): NasAttribute[] {
  const peak = shape?.burst?.speed ?? speed;
  return [
    { vendor, type: attribute.inputAverageRate, value: clamped(speed.upBps) },
    { vendor, type: attribute.inputPeakRate, value: clamped(Math.max(peak.upBps, speed.upBps)) },
    { vendor, type: attribute.outputAverageRate, value: clamped(speed.downBps) },
    { vendor, type: attribute.outputPeakRate, value: clamped(Math.max(peak.downBps, speed.downBps)) },
  ];
}

// Makes accounting records and the parts around the applier for tests.
import fc from 'fast-check';
import type { CallMaker } from '#aaa-server/accounting/call.ts';
import { createLogMetrics } from '#ops/lanes/metrics.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { createRegistry } from '#ops/runtime/metrics.ts';
import { partitionOf } from '#policy/ledger/keys.ts';
import { type AccountingRecord, accountingKinds } from '#policy/ledger/types.ts';
import { usageWindows } from '#policy/time.ts';

export const noonMs = Date.UTC(2026, 10, 21, 12);

/** A record of subscription `subscriptionId` in its own session, as if its Class had verified. */
export function recordOf(subscriptionId: number, changes: Partial<AccountingRecord> = {}): AccountingRecord {
  return {
    kind: 'interim',
    receivedAtMs: noonMs,
    eventAtMs: noonMs,
    tenantId: 1,
    nasId: 1,
    nasInstance: '1',
    sessionId: `s${subscriptionId}`,
    partition: partitionOf(1, subscriptionId),
    subscriptionId,
    classUuid: subscriptionId.toString(16).padStart(32, '0'),
    loginOutcomeHash: '00c0ffee',
    userName: `user${subscriptionId}`,
    sessionTimeS: 60,
    upOctets: 0,
    downOctets: 0,
    upGigawords: null,
    downGigawords: null,
    sourceAddress: '127.0.0.1',
    nasIpAddress: '10.0.0.1',
    nasPort: '7',
    nasPortId: 'ether1',
    framedIp: '10.1.2.3',
    framedIpv6Prefix: '2001:db8::/64',
    delegatedIpv6Prefix: '',
    callingStationId: '02:00:00:00:00:01',
    calledStationId: 'pppoe',
    terminateCause: '',
    ...changes,
  };
}

const hex = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((value) => Buffer.from(value).toString('hex'));
const number = fc.maxSafeNat();
const counter = fc.option(fc.oneof(fc.nat({ max: 2 ** 32 - 1 }), number), { nil: null });
const text = fc.string({ unit: 'grapheme', maxLength: 60 });
const octets = fc.uint8Array({ maxLength: 253 }).map((value) => Buffer.from(value).toString('latin1'));

export const anyRecord: fc.Arbitrary<AccountingRecord> = fc.record({
  kind: fc.constantFrom(...accountingKinds),
  receivedAtMs: number,
  eventAtMs: number,
  tenantId: number,
  nasId: number,
  nasInstance: text,
  sessionId: octets,
  partition: fc.nat({ max: 63 }),
  subscriptionId: number,
  classUuid: fc.oneof(fc.constant(''), hex(16)),
  loginOutcomeHash: fc.oneof(fc.constant(''), hex(4)),
  userName: text,
  sessionTimeS: counter,
  upOctets: counter,
  downOctets: counter,
  upGigawords: counter,
  downGigawords: counter,
  sourceAddress: text,
  nasIpAddress: text,
  nasPort: text,
  nasPortId: text,
  framedIp: text,
  framedIpv6Prefix: text,
  delegatedIpv6Prefix: text,
  callingStationId: text,
  calledStationId: text,
  terminateCause: text,
});

/** Calls with UTC windows and no thresholds. */
export const plainCalls: CallMaker = {
  ready: () => true,
  make: (lane, record, sinceMs) => ({
    lane,
    record,
    windows: usageWindows(record.eventAtMs, 'UTC', 1, 1, sinceMs),
    thresholds: [],
    planPeakBps: 100_000_000,
    adoptedAtMs: null,
    meter: 'radius',
    meterSinceMs: null,
  }),
};

export const silent = createLogger('test', 'silent');
export const newMetrics = () => createLogMetrics(createRegistry('test'), 'accounting');

/** The value of a counter or gauge with these labels, summed over the others. */
export async function metricOf(
  metric: { get(): Promise<{ values: { value: number; labels: object }[] }> },
  labels: Record<string, string> = {},
): Promise<number> {
  const { values } = await metric.get();
  return values
    .filter((entry) => Object.entries(labels).every(([name, value]) => Reflect.get(entry.labels, name) === value))
    .reduce((sum, { value }) => sum + value, 0);
}

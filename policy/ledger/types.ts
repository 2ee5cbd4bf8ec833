// The words of the ledger: records that go in, results, sessions and usage that come out. Rules: ops/docs/ledger.md.
import type { Threshold } from '../fup/usage.ts';
import type { UsageWindows } from '../time.ts';

export type { ByteCount, Threshold, Usage } from '../fup/usage.ts';
export type { Interval, UsageWindows } from '../time.ts';

export const partitionCount = 64;

/** What counts a subscription's bytes. */
export const meters = ['radius', 'flow'] as const;
export type Meter = (typeof meters)[number];

export const accountingKinds = ['start', 'interim', 'stop', 'on', 'off'] as const;
export type AccountingKind = (typeof accountingKinds)[number];

/** One accepted Accounting-Request as the WAL keeps it. Counters absent from the packet are null: missing is not zero. */
export type AccountingRecord = {
  readonly kind: AccountingKind;
  readonly receivedAtMs: number;
  /** Event-Timestamp if ≤ 300 s ahead and ≤ 24 h behind the receipt, else receipt − Acct-Delay-Time. Fixed when received. */
  readonly eventAtMs: number;
  readonly tenantId: number;
  readonly nasId: number;
  /** NAS record id, or `<id>/<NAS-Identifier or source address>` when the record is a prefix or shared. */
  readonly nasInstance: string;
  /** Acct-Session-Id, latin1 text of its octets. Empty for on/off. */
  readonly sessionId: string;
  /** Hash partition of the subscription (from Class, else computed); of hash(tenant, NAS instance, session id) when the user is unknown. */
  readonly partition: number;
  /** 0 when the user is unknown: kept whole as `unattributed`. */
  readonly subscriptionId: number;
  /** uuid of a Class that verified, as 32 hex digits; '' without one. */
  readonly classUuid: string;
  /** Text of the outcome the login answered, as far as Class tells it (8 hex digits of its hash); '' when unknown. */
  readonly loginOutcomeHash: string;
  readonly userName: string;
  readonly sessionTimeS: number | null;
  /** From the subscriber's view: up = Acct-Input-Octets of RFC 2866 (received by the NAS), after the NAS profile's direction rule. */
  readonly upOctets: number | null;
  readonly downOctets: number | null;
  readonly upGigawords: number | null;
  readonly downGigawords: number | null;
  /** Source of the packet: where a CoA goes when the NAS record names no address. */
  readonly sourceAddress: string;
  readonly nasIpAddress: string;
  readonly nasPort: string;
  readonly nasPortId: string;
  readonly framedIp: string;
  /** Framed-IPv6-Prefix (RFC 3162), else Framed-IPv6-Address (RFC 6911) as /128: `2001:db8::/64`, '' without one. */
  readonly framedIpv6Prefix: string;
  /** Delegated-IPv6-Prefix (RFC 4818). */
  readonly delegatedIpv6Prefix: string;
  readonly callingStationId: string;
  readonly calledStationId: string;
  readonly terminateCause: string;
};

/** Where a record stands in its WAL: positions of one WAL only grow; `previous` is the last one before it in the same partition. */
export type LanePosition = {
  readonly walId: string;
  readonly previous: number;
  readonly position: number;
  /** Grows whenever the applier begins or goes back: of two outbox entries of one record the one with the greater is right. */
  readonly generation: number;
};

export type AccountingCall = {
  readonly lane: LanePosition;
  readonly record: AccountingRecord;
  /** The windows of the tenant's zone that the record may touch; the last of each kind contains the event. */
  readonly windows: UsageWindows;
  readonly thresholds: readonly Threshold[];
  /** Plan peak in bits per second, the faster direction: tells a 32-bit wrap from a reset. */
  readonly planPeakBps: number;
  /** The NAS record's `adopted_at`; null: none. */
  readonly adoptedAtMs: number | null;
  /** What counts the subscription's bytes from `meterSinceMs` on (a quarter-hour edge, UTC); the other meter did before. null: it always has. */
  readonly meter: Meter;
  readonly meterSinceMs: number | null;
};

export type Subscriber = { readonly tenantId: number; readonly subscriptionId: number };

/** What the flows of one quarter of an hour, by their end, brought to a subscription. */
export type FlowUsage = {
  readonly tenantId: number;
  readonly subscriptionId: number;
  /** Begin of the quarter of an hour, UTC. */
  readonly slotFromMs: number;
  readonly upBytes: number;
  readonly downBytes: number;
};

/** A batch of one partition, at most 500 entries, as the WAL of the flow collector keeps it. */
export type FlowUsageRecord = {
  readonly partition: number;
  readonly receivedAtMs: number;
  readonly entries: readonly FlowUsage[];
};

export type FlowUsageCall = { readonly lane: LanePosition; readonly record: FlowUsageRecord };

export type ApplyResult =
  | { readonly kind: 'applied'; readonly crossed: boolean; readonly flags: readonly string[] }
  /** Own position ≤ stored: was applied before. */
  | { readonly kind: 'duplicate' }
  /** Previous ≠ stored: nothing written; go on from `stored` (0 = nothing applied yet). */
  | { readonly kind: 'gap'; readonly stored: number }
  /** Nothing written; call again with every window since `sinceMs`. */
  | { readonly kind: 'need_windows'; readonly sinceMs: number }
  /** Written to the quarantine with its reason and passed: the lane goes on. */
  | { readonly kind: 'quarantined'; readonly reason: string };

export type SessionEnforcement = {
  /** Texts of policy/access/outcome.ts; '' = not yet. `acked` starts as what the login answered, when known. */
  readonly desired: string;
  readonly sent: string;
  readonly acked: string;
  /** RFC 5176 Error-Cause of the last NAK, 'timeout', or ''. */
  readonly errorCause: string;
  readonly updatedAtMs: number;
};

export type LiveSession = {
  readonly tenantId: number;
  readonly subscriptionId: number;
  readonly partition: number;
  readonly nasId: number;
  readonly nasInstance: string;
  readonly sessionId: string;
  readonly incarnation: number;
  readonly userName: string;
  readonly startedAtMs: number;
  readonly lastEventAtMs: number;
  readonly sessionTimeS: number | null;
  readonly upBytes: number;
  readonly downBytes: number;
  readonly sourceAddress: string;
  readonly nasIpAddress: string;
  readonly nasPort: string;
  readonly nasPortId: string;
  readonly framedIp: string;
  readonly framedIpv6Prefix: string;
  readonly delegatedIpv6Prefix: string;
  readonly callingStationId: string;
  readonly calledStationId: string;
  readonly loginOutcomeHash: string;
  /** Of its login; '' when no Class of ours came with it. Sessions of one login share it. */
  readonly classUuid: string;
  readonly enforcement: SessionEnforcement;
};

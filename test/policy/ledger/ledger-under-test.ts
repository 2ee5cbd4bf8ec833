// A ledger over a Redis of its own and the model beside it: every record goes to both, and both must give the same answer.
import { Cluster, Redis } from 'ioredis';
import { sendTogether } from '#ops/stores/redis-together.ts';
import { keys, partitionOf, partitionOfSession } from '#policy/ledger/keys.ts';
import { createLedger } from '#policy/ledger/ledger.ts';
import { decodeEntry, type OutboxRow } from '#policy/ledger/outbox-entry.ts';
import {
  type AccountingCall,
  type AccountingRecord,
  type ApplyResult,
  type FlowUsage,
  type Meter,
  partitionCount,
  type Threshold,
} from '#policy/ledger/types.ts';
import { usageWindows } from '#policy/time.ts';
import { redisForTest } from '#test/support/stores.ts';
import { createModel, type ModelEntry } from './model.ts';

export const zone = 'Europe/Berlin';
export const tenantId = 1;

export type Change = Partial<AccountingRecord> & { readonly kind: AccountingRecord['kind'] };
export type Facts = Partial<
  Pick<AccountingCall, 'thresholds' | 'planPeakBps' | 'adoptedAtMs' | 'meter' | 'meterSinceMs'>
>;

/** Event at `atMs`, received at once, of subscription 7 unless the change says otherwise. */
export function recordAt(atMs: number, change: Change): AccountingRecord {
  const record = {
    ...{ receivedAtMs: atMs, eventAtMs: atMs, tenantId, nasId: 1, nasInstance: '1', sessionId: 'a', partition: 0 },
    ...{ subscriptionId: 7, classUuid: '', loginOutcomeHash: '', userName: 'user7', sessionTimeS: null },
    ...{ upOctets: null, downOctets: null, upGigawords: null, downGigawords: null },
    ...{
      sourceAddress: '10.0.0.1',
      nasIpAddress: '10.0.0.1',
      nasPort: '1',
      nasPortId: 'ether1',
      framedIp: '100.64.0.7',
      framedIpv6Prefix: '',
      delegatedIpv6Prefix: '',
    },
    ...{ callingStationId: 'aa:bb:cc:dd:ee:ff', calledStationId: 'internet', terminateCause: '' },
    ...change,
  };
  const partition = record.subscriptionId
    ? partitionOf(record.tenantId, record.subscriptionId)
    : partitionOfSession(record.tenantId, record.nasInstance, record.sessionId);
  return { ...record, partition: change.partition ?? partition };
}

export function callOf(record: AccountingRecord, lane: AccountingCall['lane'], facts: Facts = {}): AccountingCall {
  return {
    ...{ lane, record, windows: usageWindows(record.eventAtMs, zone, 1, 1), thresholds: [] as Threshold[] },
    ...{ planPeakBps: 100_000_000, adoptedAtMs: null, meter: 'radius' as const, meterSinceMs: null },
    ...facts,
  };
}

type Test = { teardown(handler: () => unknown): unknown };
export type Store = Awaited<ReturnType<typeof storeForTest>>;

/** One server, or a cluster of three, for many tests; `durable`: with the fsync of production. */
export async function storeForTest(t: Test, options: { cluster?: boolean; durable?: boolean } = {}) {
  const config = options.durable ? {} : { appendfsync: 'no' };
  const server = await redisForTest(t, { cluster: options.cluster ?? false, config });
  const redis = connect(server.port, options.cluster);
  t.teardown(() => redis.disconnect());
  const primaries = () => (redis instanceof Cluster ? redis.nodes('master') : [redis]);
  return { server, redis, primaries };
}

/** An empty ledger on the store. */
export async function ledgerOn(
  t: { strictSame(found: unknown, wanted: unknown, message: string): unknown },
  { server, redis, primaries }: Store,
) {
  await redis.ping();
  await Promise.all(primaries().map((primary) => primary.flushall()));
  const problems: unknown[] = [];
  const ledger = createLedger(redis, { onProblem: (error) => problems.push(error) });
  await ledger.load();
  const model = createModel();
  const positions = new Map<number, number>();
  const flowPositions = new Map<number, number>();
  let position = 0;

  /** The next record of WAL `w`; with every window it takes. */
  async function apply(record: AccountingRecord, facts: Facts = {}): Promise<ApplyResult> {
    position += 10;
    const lane = { walId: 'w', previous: positions.get(record.partition) ?? 0, position, generation: 1 };
    const result = await both(callOf(record, lane, facts));
    positions.set(record.partition, position);
    return result;
  }

  /** One call to both, and once more when it wants windows. */
  async function both(call: AccountingCall): Promise<ApplyResult> {
    const found = await ledger.apply(call);
    t.strictSame(found, model.apply(call), `answer for ${JSON.stringify(call.record)}`);
    if (found.kind !== 'need_windows') return found;
    const { eventAtMs } = call.record;
    return both({ ...call, windows: usageWindows(eventAtMs, zone, 1, 1, found.sinceMs) });
  }

  async function outboxOf(partition: number): Promise<OutboxRow[]> {
    const entries = await redis.xrangeBuffer(keys.accounted(partition), '-', '+');
    return entries.flatMap(([id, fields]) => decodeEntry(String(id), partition, fields[1])!);
  }

  /** The next batch of WAL `f`. */
  async function applyFlow(entries: readonly FlowUsage[], receivedAtMs: number): Promise<ApplyResult> {
    const partition = partitionOf(tenantId, entries[0]!.subscriptionId);
    position += 10;
    const lane = { walId: 'f', previous: flowPositions.get(partition) ?? 0, position, generation: 1 };
    const call = { lane, record: { partition, receivedAtMs, entries } };
    const found = await ledger.applyFlow(call);
    t.strictSame(found, model.applyFlow(call), `answer for ${JSON.stringify(entries)}`);
    flowPositions.set(partition, position);
    return found;
  }

  async function setMeter(meter: Meter, sinceMs: number | null, subscriptionId = 7): Promise<void> {
    await ledger.setMeter({ tenantId, subscriptionId }, meter, sinceMs);
    model.setMeter(tenantId, subscriptionId, meter, sinceMs);
  }

  return {
    ...{ server, redis, primaries, ledger, model, problems, apply, both, applyFlow, setMeter },
    /** Usage at an instant, compared with the model. */
    async usage(atMs: number, subscriptionId = 7) {
      const windows = usageWindows(atMs, zone, 1, 1);
      const found = await ledger.usage(tenantId, subscriptionId, windows);
      t.strictSame(found, model.usage(tenantId, subscriptionId, windows), 'usage');
      return found;
    },
    /** Open sessions, compared with the model. */
    async sessions(subscriptionId = 7) {
      const found = await ledger.sessionsOf(tenantId, subscriptionId);
      const told = found.map(({ sessionId, upBytes, downBytes, startedAtMs, lastEventAtMs }) => {
        return [sessionId, { upBytes, downBytes, startedAtMs, lastEventAtMs }] as const;
      });
      t.strictSame(new Map(told), model.sessionsOf(tenantId, subscriptionId), 'open sessions');
      return found;
    },
    /** Everything in the outbox, compared with the model. */
    async outbox(): Promise<OutboxRow[]> {
      const read = await Promise.all(partitions.map((partition) => outboxOf(partition)));
      const found = read.flat().sort((a, b) => a.position - b.position || a.part - b.part);
      const told = found.map((entry) => Object.fromEntries(outboxNames.map((name) => [name, entry[name]])));
      const wanted = [...model.outbox].sort((a, b) => a.position - b.position || a.part - b.part);
      t.strictSame(told, wanted, 'outbox');
      return found;
    },
    /** Openings, then crossings. */
    async events(subscriptionId = 7): Promise<string[]> {
      const partition = partitionOf(tenantId, subscriptionId);
      const streams = [keys.opened(partition), keys.enforce(partition)].map((stream) => redis.xrange(stream, '-', '+'));
      return (await Promise.all(streams)).flat().map(([, fields]) => fields[1] ?? '');
    },
    sessionKey: (sessionId = 'a', subscriptionId = 7) =>
      keys.session(partitionOf(tenantId, subscriptionId), tenantId, '1', sessionId),
  };
}

const partitions = Array.from({ length: partitionCount }, (_, partition) => partition);
/** What of an entry the model says too. */
const outboxNames = [
  ...['wal', 'position', 'part', 'kind', 'flags', 'tenantId', 'subscriptionId', 'sessionId', 'fromMs', 'eventAtMs'],
  ...['upDelta', 'downDelta', 'upTotal', 'downTotal'],
] as (keyof ModelEntry)[];

export function connect(port: number, cluster = false): Redis | Cluster {
  if (cluster) return new Cluster([{ host: '127.0.0.1', port }], { enableAutoPipelining: true });
  const redis = sendTogether(new Redis(port, '127.0.0.1', { retryStrategy: () => 20, maxRetriesPerRequest: null }));
  redis.on('error', () => {});
  return redis;
}

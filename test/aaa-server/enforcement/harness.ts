// A small ISP for enforcement tests: a real Redis with the functions loaded, a snapshot in memory, sessions written as the ledger does.
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { outcomeHash } from '#aaa-server/accounting/class.ts';
import { createDecide, type Decide } from '#aaa-server/enforcement/decide.ts';
import {
  createEnforcement,
  type Enforcement,
  type EnforcementConfig,
  type EnforcementDeps,
} from '#aaa-server/enforcement/enforcement.ts';
import { systemTimer, type Timer } from '#aaa-server/enforcement/timer.ts';
import type {
  EnforcementMode,
  NasRecord,
  PlanRecord,
  SnapshotReader,
  SubscriptionRecord,
} from '#aaa-server/subscribers/records.ts';
import { createKeyring } from '#ops/runtime/keyring.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import { noUsage, type Usage } from '#policy/fup/usage.ts';
import { createEnforcementLedger } from '#policy/ledger/enforcement.ts';
import { keys, partitionOf } from '#policy/ledger/keys.ts';
import { createLedger } from '#policy/ledger/ledger.ts';
import { usageWindows } from '#policy/time.ts';
import { recordOf } from '#test/aaa-server/accounting/records.ts';
import { packedSession } from '#test/policy/ledger/packed-session.ts';
import { redisForTest, type TestRedis } from '#test/support/redis.ts';

export const tenantId = 1;
export const fullSpeed = 'accept:5000000/20000000';
export const throttled = 'throttle:2000000/2000000:fup';
const hour = 3600_000;

type Teardown = { teardown(handler: () => unknown): unknown };
type SessionFields = Record<string, string>;

export type NodeOptions = {
  config?: Partial<EnforcementConfig>;
  pace?: object;
  redis?: Redis;
  log?: string;
  links?: EnforcementDeps['links'];
  timer?: Timer;
};

export type Isp = Awaited<ReturnType<typeof createIsp>>;

export async function createIsp(t: Teardown, nasPort: number, server?: TestRedis) {
  const store = server ?? (await redisForTest(t));
  const connect = () => {
    const redis = new Redis(store.url, { enableOfflineQueue: false, commandTimeout: 2000, lazyConnect: true });
    redis.on('error', () => {});
    t.teardown(() => redis.disconnect());
    return redis;
  };
  const redis = connect();
  await redis.connect();
  const ledger = createLedger(redis);
  await ledger.load();

  const keyring = createKeyring(['test']);
  const plan: PlanRecord = {
    tenantId,
    id: 1,
    speed: { upBps: 5_000_000, downBps: 20_000_000 },
    fupRules: [
      {
        window: 'day',
        direction: 'total',
        thresholdBytes: 10e9,
        effect: { kind: 'speed', upBps: 2_000_000, downBps: 2_000_000 },
      },
    ],
    suspendAction: 'reject',
    graceMs: 0,
    interimIntervalS: 300,
  };
  const nas: NasRecord = {
    tenantId,
    id: 1,
    name: 'nas',
    address: '127.0.0.1/32',
    identifier: null,
    vendor: 'mikrotik',
    secretCiphers: [keyring.encrypt('nas', `${tenantId}:127.0.0.1/32`, Buffer.from('testing123'))],
    coaAddress: null,
    coaPort: nasPort,
    coaRatePerS: 1000,
    mode: 'enforce',
    adoptedAtMs: null,
    messageAuthenticator: 'no',
    limitProxyState: 'yes',
    replyMessageAuthenticator: true,
    learnSinceMs: 0,
  };
  const state = { complete: true, mode: 'enforce' as EnforcementMode, nas, nasGeneration: 1, offsetMs: 0 };
  const timer: Timer = { ...systemTimer, nowMs: () => Date.now() + state.offsetMs };
  const subscriptions = new Map<number, SubscriptionRecord>();
  const usages = new Map<number, { usage: Usage; day: number }>();
  const dayOf = (atMs: number) => Math.floor(atMs / 86_400_000);

  const snapshot: Omit<SnapshotReader, 'mirrorState' | 'macs' | 'poolList' | 'deviceUserList' | 'proxyList'> = {
    complete: () => state.complete,
    feedAliveAtMs: () => timer.nowMs(),
    onlyTenant: () => undefined,
    tenant: (id) => ({ id, slug: 'demo', timeZone: 'UTC', weekStart: 1, mode: state.mode }),
    plan: () => plan,
    subscription: (_, id) => subscriptions.get(id),
    credential: () => undefined,
    profile: () => undefined,
    nasGeneration: () => state.nasGeneration,
    nasList: () => [state.nas],
  };

  function subscribe(id: number, change: Partial<SubscriptionRecord> = {}): void {
    subscriptions.set(id, {
      tenantId,
      id,
      customerId: id,
      planId: 1,
      customerStatus: 'active',
      status: 'active',
      holds: [],
      paidUntilMs: timer.nowMs() + 365 * 24 * hour,
      paidUntilSetAtMs: timer.nowMs() - 100 * 24 * hour,
      anchorDay: 1,
      meter: 'radius',
      meterSinceMs: null,
      addresses: [],
      ...subscriptions.get(id),
      ...change,
    });
  }

  const sessionKey = (id: number) => keys.session(partitionOf(tenantId, id), tenantId, '1', `s${id}`);

  async function entry(id: number, type: string): Promise<number> {
    const partition = partitionOf(tenantId, id);
    const fields = ['type', type, 'tenant', tenantId, 'sub', id, 'ses', `s${id}`, 'at', timer.nowMs()];
    const stream = type === 'crossed' ? keys.enforce(partition) : keys.opened(partition);
    await redis.xadd(stream, '*', ...fields);
    return partition;
  }

  /** Opens a session as its Start does; `login` is what its Access-Accept said. */
  async function open(id: number, login = fullSpeed, change: SessionFields = {}): Promise<number> {
    if (!subscriptions.has(id)) subscribe(id);
    const partition = partitionOf(tenantId, id);
    const key = sessionKey(id);
    const empty = { desired: '', sent: '', acked: '', cause: '', eupd: '0' };
    const fields = {
      ...{ tenant: String(tenantId), sub: String(id), nas: '1', inst: '1', sid: `s${id}`, inc: '1', state: 'open' },
      ...{ user: `user${id}`, started: String(timer.nowMs()), src: '127.0.0.1' },
      ...{ nasip: '127.0.0.1', port: '7', portid: 'ether1', fip: '10.0.0.7', calling: 'AA-BB', called: '' },
      ...{ loh: login === '' ? '' : outcomeHash(login), ...empty, ...change },
    };
    const packed = packedSession({ tenantId, subscriptionId: id, startedAtMs: timer.nowMs() });
    await redis.hset(key, { ...fields, ...packed });
    await redis.sadd(keys.subscriptionSessions(partition, tenantId, id), key);
    await redis.zadd(keys.live(partition), timer.nowMs(), key);
    return entry(id, 'opened');
  }

  /** The session reports at `atMs`, through the ledger itself. */
  async function report(id: number, atMs: number): Promise<void> {
    if (!subscriptions.has(id)) subscribe(id);
    const record = recordOf(id, {
      receivedAtMs: timer.nowMs(),
      eventAtMs: atMs,
      loginOutcomeHash: outcomeHash(fullSpeed),
      classUuid: '',
    });
    await ledger.apply({
      ...{
        lane: { walId: `${id}-${atMs}`, previous: 0, position: 1, generation: 1 },
        record,
        windows: usageWindows(atMs, 'UTC', 1, 1),
      },
      ...{ thresholds: [], planPeakBps: 20_000_000, adoptedAtMs: null, meter: 'radius', meterSinceMs: null },
    });
  }

  /** Counts so much that the rule is in force until the day ends. */
  async function cross(id: number): Promise<number> {
    const bytes = { upBytes: 0, downBytes: 11e9 };
    usages.set(id, { usage: { ...noUsage, day: bytes }, day: dayOf(timer.nowMs()) });
    return entry(id, 'crossed');
  }

  const decideByPolicy = createDecide({ snapshot, feedSilenceMs: 900_000, feedSilenceGraceMs: 86_400_000 });

  /** Usage is what a test has counted. */
  const decide: Decide = (tenant, plan, record, _usage, nowMs) => {
    const counted = usages.get(record.id);
    return decideByPolicy(tenant, plan, record, counted?.day === dayOf(nowMs) ? counted.usage : noUsage, nowMs);
  };

  function node(name: string, options: NodeOptions = {}): Enforcement & { registry: Registry; alarms: string[] } {
    const registry = new Registry();
    const alarms: string[] = [];
    const enforcement = createEnforcement(
      { COA_SOURCE: '127.0.0.1', COA_FALLBACK: 'disconnect', ENFORCEMENT_SWEEP_S: 3600, ...options.config },
      {
        redis: options.redis ?? redis,
        node: name,
        snapshot,
        decide,
        hashOutcome: outcomeHash,
        keyring,
        registry,
        log: pino({ level: options.log ?? 'silent' }),
        onAlarm: ({ reason }) => alarms.push(reason),
        links: options.links,
        timer: options.timer ?? timer,
        random: () => 0.5,
        pace: { tickMs: 20, leaseMs: 1500, visibilityMs: 1000, ...options.pace },
      },
    );
    t.teardown(() => enforcement.stop());
    return { ...enforcement, registry, alarms };
  }

  return {
    store,
    redis,
    connect,
    state,
    plan,
    timer,
    subscribe,
    unsubscribe: (id: number) => subscriptions.delete(id),
    /** What an evaluation decides by, besides what it reads of the ledger. */
    assessing: {
      ...{ snapshot, decide, hashOutcome: outcomeHash, fallback: true },
      nas: () => state.nas,
      clockSteady: () => true,
    },
    open,
    report,
    cross,
    entry,
    node,
    sessionKey,
    sessionsOf: (id: number) => ledger.sessionsOf(tenantId, id),
    /** Takes the ownership of a partition, as a node does. */
    async owner(partition: number) {
      const ledger = createEnforcementLedger(redis, 'owner');
      const claim = await ledger.claim(partition, '', {
        leaseMs: 60_000,
        crossings: 0,
        count: 0,
        visibilityMs: 1,
        again: true,
        nowMs: 0,
      });
      if (!claim) throw new Error('another node owns the partition');
      return { ledger, lease: claim.lease };
    },
    forget: (id: number) => usages.delete(id),
    session: (id: number) => redis.hgetall(sessionKey(id)),
    /** Text of the profile that was last published, as logins see it; '' when none was. */
    async lastProfile(id: number) {
      return (await redis.hget(keys.lastProfiles(partitionOf(tenantId, id), tenantId), String(id))) ?? '';
    },
    mark: (id: number, fields: SessionFields) => redis.hset(sessionKey(id), fields),
    close: (id: number) => redis.hset(sessionKey(id), 'state', 'closed'),
  };
}

// The ledger: applies accounting records, and answers what was used and who is online. Rules: ops/docs/ledger.md.
import type { Cluster, Redis } from 'ioredis';
import { createApply } from './apply.ts';
import { createBoots } from './boots.ts';
import { createFunctionCaller } from './call.ts';
import { createDirectory } from './directory.ts';
import { applyFlow, setMeter } from './flow.ts';
import { keys, partitionOf } from './keys.ts';
import { listSessions, readSessions, type SessionPage, type SessionSearch } from './sessions.ts';
import {
  type AccountingCall,
  type ApplyResult,
  type FlowUsageCall,
  type LiveSession,
  type Meter,
  partitionCount,
  type Subscriber,
  type Usage,
  type UsageWindows,
} from './types.ts';
import { readUsage } from './usage.ts';

/** Where a running session is kept. */
export type SessionPlace = { readonly partition: number; readonly tenantId: number; readonly subscriptionId: number };

export type Ledger = {
  /** Loads the functions on every primary, and again after each reconnection. */
  load(): Promise<void>;
  /** One record, once. A rejected promise means: unknown whether it ran. */
  apply(call: AccountingCall): Promise<ApplyResult>;
  /** One batch of flow usage, once. `need_windows` is never answered: windows are those of the newest accounting call. */
  applyFlow(call: FlowUsageCall): Promise<ApplyResult>;
  /** Tells of a switch of the meter as soon as it is known; accounting calls bring it too. */
  setMeter(who: Subscriber, meter: Meter, sinceMs: number | null): Promise<void>;
  /** The counters of the last window of each kind. */
  usage(tenantId: number, subscriptionId: number, windows: UsageWindows): Promise<Usage>;
  /** Open sessions of a subscription. */
  sessionsOf(tenantId: number, subscriptionId: number): Promise<LiveSession[]>;
  listSessions(tenantId: number, options: SessionSearch): Promise<SessionPage>;
  /** How many sessions of the tenant are open. */
  countSessions(tenantId: number): Promise<number>;
  /** Applied position of the WAL in every partition; 0 where nothing of it was applied. */
  lanePositions(walId: string): Promise<number[]>;
  lookupSession(nasInstance: string, sessionId: string): Promise<SessionPlace | undefined>;
  /** The instance restarted: closes what ran before. `apply` of on and off does the same. */
  noteBoot(nasInstance: string, atMs: number): Promise<void>;
};

export type LedgerOptions = {
  /** A repairable index was not written, or the functions not loaded after a reconnection. */
  onProblem?: (error: unknown) => void;
};

export function createLedger(redis: Redis | Cluster, options: LedgerOptions = {}): Ledger {
  const onProblem = options.onProblem ?? (() => {});
  const { call, load } = createFunctionCaller(redis, onProblem);
  const applyAtOnce = createApply(call);
  const boots = createBoots(redis, call, onProblem);

  const noteInDirectory = createDirectory(redis, call, onProblem);

  return {
    load,
    async apply(accounting) {
      const { record } = accounting;
      const restart = record.kind === 'on' || record.kind === 'off';
      // Every partition knows of the boot before its record has passed.
      if (restart) await boots.note(record.nasInstance, record.eventAtMs);
      const known = boots.known(record.nasInstance);
      const reply = await applyAtOnce(accounting, known);
      if (!('change' in reply)) return reply;
      const newest = known.at(-1);
      if (reply.boots && newest !== undefined) await boots.noteIn(record.partition, record.nasInstance, newest);
      if (reply.change !== '') await noteInDirectory({ record, applied: reply });
      return { kind: 'applied', crossed: reply.crossed, flags: reply.flags };
    },
    applyFlow: (flow) => applyFlow(call, flow),
    setMeter: (who, meter, sinceMs) => setMeter(call, who, meter, sinceMs),
    usage: (tenantId, subscriptionId, windows) => readUsage(redis, tenantId, subscriptionId, windows),
    async sessionsOf(tenantId, subscriptionId) {
      const partition = partitionOf(tenantId, subscriptionId);
      const members = await redis.smembers(keys.subscriptionSessions(partition, tenantId, subscriptionId));
      return readSessions(redis, partition, members.sort());
    },
    listSessions: (tenantId, search) => listSessions(redis, tenantId, search),
    async countSessions(tenantId) {
      const counts = await Promise.all(
        allPartitions.map((partition) => redis.hget(keys.online(partition), String(tenantId))),
      );
      return counts.reduce((sum, count) => sum + Number(count ?? 0), 0);
    },
    async lanePositions(walId) {
      const stored = await Promise.all(allPartitions.map((partition) => redis.hget(keys.lanes(partition), walId)));
      return stored.map(Number);
    },
    async lookupSession(nasInstance, sessionId) {
      const names = ['partition', 'tenant', 'sub', 'state'] as const;
      const [partition, tenant, sub, state] = await redis.hmget(keys.directory(nasInstance, sessionId), ...names);
      if (state !== 'open') return undefined;
      return { partition: Number(partition), tenantId: Number(tenant), subscriptionId: Number(sub) };
    },
    noteBoot: boots.note,
  };
}

const allPartitions = Array.from({ length: partitionCount }, (_, partition) => partition);

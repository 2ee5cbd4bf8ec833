// What the API needs of the ledger in Redis: usage, sessions, addresses and the brake. Tests may give it in memory.
import { type ExporterTraffic, readExporterTraffic } from '#ops/stores/exporter-traffic.ts';
import { type NasEdge, readNasEdge } from '#ops/stores/nas-edge.ts';
import type { RedisClient } from '#ops/stores/redis.ts';
import { type EnforcementAction, listActions } from '#policy/ledger/actions.ts';
import { type Brake, type BrakeAnswer, cancelBrake, confirmBrake, listBrakes } from '#policy/ledger/brake.ts';
import { historyCompleteUntil } from '#policy/ledger/history-lag.ts';
import { createLedger, type Ledger } from '#policy/ledger/ledger.ts';
import { forgetMacs, type LearnedMac, readMacs } from '#policy/ledger/macs.ts';
import { countMoved, countOfNas } from '#policy/ledger/moves.ts';
import { createPoolLedger, type LeasePage, listLeases, type PoolUse, readPoolUse } from '#policy/ledger/pools.ts';
import type { Subscriber } from '#policy/ledger/types.ts';
import { Problem } from './problem.ts';

export type LedgerReader = Pick<Ledger, 'usage' | 'sessionsOf' | 'listSessions' | 'countSessions'> & {
  /** The newest enforcement actions of the tenant, newest first. */
  actions(tenantId: number, limit: number): Promise<EnforcementAction[]>;
  /** Up to which instant the history has everything of a partition. */
  historyCompleteUntil(partition: number, nowMs: number): Promise<number>;
};

export type BrakeDesk = {
  list(tenantId: number): Promise<readonly Brake[]>;
  confirm(tenantId: number, id: number, count: number): Promise<BrakeAnswer>;
  cancel(tenantId: number, id: number): Promise<BrakeAnswer>;
};

/** Addresses of pools and devices of subscriptions, as they are now. */
export type NetworkDesk = {
  poolUse(poolId: number): Promise<PoolUse>;
  leases(poolId: number, cursor: string, count: number): Promise<LeasePage>;
  /** False when nobody has the unit. */
  free(poolId: number, unit: string, nowMs: number): Promise<boolean>;
  macs(who: Subscriber): Promise<readonly LearnedMac[]>;
  /** One device, or all without `address`. @returns how many */
  forgetMacs(who: Subscriber, address?: string): Promise<number>;
};

/** Sessions that are moved away from access servers. */
export type MoveDesk = {
  /** Of subscribers, at this access server. */
  openSessions(tenantId: number, nasId: number): Promise<number>;
  /** How many a move has told to end. */
  told(moveId: number): Promise<number>;
};

/** `current` gives no client until Redis has answered once: then every call is refused as `ledger_unavailable`. */
export function createLedgerReader(current: () => RedisClient | undefined): LedgerReader {
  let ledger: Ledger | undefined;
  const connected = () => {
    ledger ??= createLedger(clientOf(current));
    return ledger;
  };
  return {
    usage: async (...query) => connected().usage(...query),
    sessionsOf: async (...query) => connected().sessionsOf(...query),
    listSessions: async (...query) => connected().listSessions(...query),
    countSessions: async (tenantId) => connected().countSessions(tenantId),
    actions: async (tenantId, limit) => listActions(clientOf(current), tenantId, limit),
    historyCompleteUntil: async (...query) => historyCompleteUntil(clientOf(current), ...query),
  };
}

export function createBrakeDesk(current: () => RedisClient | undefined): BrakeDesk {
  return {
    list: async (tenantId) => listBrakes(clientOf(current), tenantId),
    confirm: async (tenantId, id, count) => confirmBrake(clientOf(current), tenantId, id, count),
    cancel: async (tenantId, id) => cancelBrake(clientOf(current), tenantId, id),
  };
}

export function createNetworkDesk(current: () => RedisClient | undefined): NetworkDesk {
  return {
    poolUse: async (poolId) => readPoolUse(clientOf(current), poolId),
    leases: async (...query) => listLeases(clientOf(current), ...query),
    free: async (poolId, unit, nowMs) => createPoolLedger(clientOf(current)).free(poolId, unit, nowMs),
    macs: async (who) => readMacs(clientOf(current), who),
    forgetMacs: async (who, address) => forgetMacs(clientOf(current), who, address),
  };
}

export function createMoveDesk(current: () => RedisClient | undefined): MoveDesk {
  return {
    openSessions: async (...query) => countOfNas(clientOf(current), ...query),
    told: async (moveId) => countMoved(clientOf(current), moveId),
  };
}

export function createExporterTraffic(
  current: () => RedisClient | undefined,
): () => Promise<ReadonlyMap<string, ExporterTraffic>> {
  return async () => readExporterTraffic(clientOf(current));
}

export function createNasEdge(current: () => RedisClient | undefined): (nasIds: readonly number[]) => Promise<NasEdge> {
  return async (nasIds) => readNasEdge(clientOf(current), nasIds);
}

function clientOf(current: () => RedisClient | undefined): RedisClient {
  const client = current();
  if (!client) throw new Problem('ledger_unavailable', 'Redis has not answered yet');
  return client;
}

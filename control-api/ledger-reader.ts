// What the API needs of the ledger in Redis: usage, sessions and the brake. Tests may give it in memory.
import { type ExporterTraffic, readExporterTraffic } from '#ops/stores/exporter-traffic.ts';
import { type NasEdge, readNasEdge } from '#ops/stores/nas-edge.ts';
import type { RedisClient } from '#ops/stores/redis.ts';
import { type EnforcementAction, listActions } from '#policy/ledger/actions.ts';
import { type Brake, type BrakeAnswer, cancelBrake, confirmBrake, listBrakes } from '#policy/ledger/brake.ts';
import { historyCompleteUntil } from '#policy/ledger/history-lag.ts';
import { createLedger, type Ledger } from '#policy/ledger/ledger.ts';
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

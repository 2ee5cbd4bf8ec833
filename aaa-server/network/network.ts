// The network side of a worker's logins, put together: what each needs, the gate to the ledger, and the reserve for when Redis is away.
import type { Clock } from '#ops/runtime/clock.ts';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import type { Registry } from '#ops/runtime/metrics.ts';
import type { RedisLink } from '#ops/stores/redis-link.ts';
import { createLoginLedger, type LoginLedger, type SeenSequences } from '#policy/ledger/login.ts';
import { createPoolLedger, type PoolLedger } from '#policy/ledger/pools.ts';
import type { Authorization } from '../auth/authorize.ts';
import type { NasClient } from '../auth/nas-table.ts';
import type { SnapshotReader } from '../subscribers/records.ts';
import type { Packet } from '../wire/packet.ts';
import { createLoginGate, type GateAnswer } from './gate.ts';
import { createLookingNetwork } from './look.ts';
import { createGateMetrics } from './metrics.ts';
import { mayNeed, needOf } from './need.ts';
import { placeOf } from './place.ts';
import { createReserves } from './reserve.ts';
import { createPoolTable } from './table.ts';

export type LoginNetwork = {
  /** Null: the login needs nothing. A promise only where Redis is asked; the packet is read before. */
  ask(
    nas: Pick<NasClient, 'record' | 'several' | 'test'>,
    found: Authorization,
    packet: Packet,
  ): GateAnswer | Promise<GateAnswer> | null;
};

export type LoginNetworkOptions = {
  readonly snapshot: SnapshotReader;
  readonly redis: Pick<RedisLink, 'onConnected' | 'current'>;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly log: Logger;
  /** Names the reserve of this start of this worker. */
  readonly owner: string;
  readonly budgetMs: number;
};

const renewEveryMs = 30_000;

export function createLoginNetwork(options: LoginNetworkOptions): LoginNetwork & Part {
  const { snapshot, clock, log } = options;
  const seen: SeenSequences = new Map();
  let connected: { login: LoginLedger; pools: PoolLedger } | undefined;
  let timer: NodeJS.Timeout | undefined;
  let told = false;
  const ledger = () => {
    if (!connected) throw new Error('no connection to the ledger yet');
    return connected;
  };
  options.redis.onConnected((client) => {
    connected = { login: createLoginLedger(client, { seen }), pools: createPoolLedger(client, seen) };
  });

  const table = createPoolTable(snapshot);
  const reserves = createReserves(() => ledger().pools, options.owner, clock);
  const metrics = createGateMetrics(options.registry);
  const looking = createLookingNetwork(options);
  const gate = createLoginGate({ ledger: () => ledger().login, reserves, clock, metrics, budgetMs: options.budgetMs });

  async function renew(): Promise<void> {
    try {
      await reserves.renew();
      told = false;
    } catch (error) {
      if (!told) log.warn({ err: error }, 'the reserve of addresses is not renewed, it is tried again');
      told = true;
    }
    metrics.reserved.set(reserves.size());
  }

  return {
    name: 'addresses of logins',
    ask(nas, found, packet) {
      if (!mayNeed(found)) return null;
      if (nas.test) return looking.ask(nas, found, packet);
      const result = needOf(snapshot, table.of(found.subscription.tenantId), found, nas.record, placeOf(packet, nas));
      if (result.kind === 'none') return null;
      return result.kind === 'refused' ? result : gate.ask(result.need);
    },
    async start() {
      timer ??= setInterval(() => void renew(), renewEveryMs).unref();
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
    },
  };
}

// What a login would be given of the network, without the login: nothing is leased, learned or counted, and no reserve is touched.
import type { Clock } from '#ops/runtime/clock.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import type { RedisLink } from '#ops/stores/redis-link.ts';
import { createLoginLedger } from '#policy/ledger/login.ts';
import type { SnapshotReader } from '../subscribers/records.ts';
import { createLoginGate } from './gate.ts';
import { createGateMetrics } from './metrics.ts';
import { mayNeed, needOf } from './need.ts';
import type { LoginNetwork } from './network.ts';
import { placeOf } from './place.ts';
import type { Reserves } from './reserve.ts';
import { createPoolTable } from './table.ts';

export type LookingNetworkOptions = {
  readonly snapshot: SnapshotReader;
  readonly redis: Pick<RedisLink, 'current'>;
  readonly clock: Clock;
  /** Redis was asked and has answered: what is found is no guess. */
  onAnswered?(): void;
};

/** Whoever asks is no subscriber in a hurry. */
const patienceMs = 1500;

/** A reserve is of one worker, and what it hands out is handed out. */
const noReserves: Reserves = {
  wanted: () => undefined,
  take: () => undefined,
  renew: async () => undefined,
  size: () => 0,
};

export function createLookingNetwork({ snapshot, redis, clock, onAnswered }: LookingNetworkOptions): LoginNetwork {
  const table = createPoolTable(snapshot);
  const gate = createLoginGate({
    ledger() {
      const client = redis.current();
      if (!client) throw new Error('no connection to the ledger yet');
      const { look } = createLoginLedger(client);
      return {
        async ask(asked) {
          const grant = await look(asked);
          onAnswered?.();
          return grant;
        },
      };
    },
    reserves: noReserves,
    clock,
    // Shown nowhere: no login asked.
    metrics: createGateMetrics(new Registry()),
    budgetMs: patienceMs,
  });
  return {
    ask(nas, found, packet) {
      if (!mayNeed(found)) return null;
      const result = needOf(snapshot, table.of(found.subscription.tenantId), found, nas.record, placeOf(packet, nas));
      if (result.kind === 'none') return null;
      return result.kind === 'refused' ? result : gate.ask(result.need);
    },
  };
}

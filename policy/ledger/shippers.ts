// How nodes divide the outbox among them: each partition has one shipper at a time.
import type { Cluster, Redis } from 'ioredis';
import { createFunctionCaller } from './call.ts';
import { keys } from './keys.ts';
import { partitionCount } from './types.ts';

/** Of the partitions a node should have: no: another still has it. fresh: what its last shipper was given may be left over. */
export type Held = 'no' | 'held' | 'fresh';

export type Shippers = ReturnType<typeof createShippers>;

/** A node that does not say so again within `leaseMs` ships no more. */
export function createShippers(redis: Redis | Cluster, node: string, leaseMs = 15_000) {
  const { call } = createFunctionCaller(redis, () => {});
  const everyPartition = Array.from({ length: partitionCount }, (_, partition) => partition);

  return {
    /** Says that this node ships; of every partition, whether it may read it now. What is others' share it gives up. */
    async take(): Promise<Held[]> {
      const nodes = ((await call('outbox_present', [keys.shippers], [node, leaseMs])) as string[]).sort();
      const mine = nodes.indexOf(node);
      return Promise.all(
        everyPartition.map(async (partition) => {
          const wanted = partition % nodes.length === mine ? 1 : 0;
          const answer = await call('outbox_lease', [keys.shipperOf(partition)], [node, wanted, leaseMs]);
          return held[Number(answer)] ?? 'no';
        }),
      );
    },

    /** Others may take over at once. */
    async leave(): Promise<void> {
      await redis.zrem(keys.shippers, node);
      const release = (partition: number) => call('outbox_lease', [keys.shipperOf(partition)], [node, 0, 0]);
      await Promise.all(everyPartition.map(release));
    },
  };
}

const held: readonly Held[] = ['no', 'held', 'fresh'];

/** The nodes that ship at present, or did until a few seconds ago. */
export function presentShippers(redis: Redis | Cluster): Promise<string[]> {
  return redis.zrange(keys.shippers, '0', '-1');
}

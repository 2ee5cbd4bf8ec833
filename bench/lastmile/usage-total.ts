// What the ledger counted for all subscribers together: compared with the bytes of the records that were acknowledged.
import { Redis } from 'ioredis';
import { keys, partitionOf } from '#policy/ledger/keys.ts';
import { unpackCount } from '#policy/ledger/usage.ts';
import type { Bytes } from '../radius/target.ts';
import type { Subscribers } from './subscribers.ts';

const atOnce = 5000;

export async function usageTotal(redisUrl: string, { tenantId, subscriptionIds }: Subscribers): Promise<Bytes> {
  const client = new Redis(redisUrl);
  try {
    let upBytes = 0;
    let downBytes = 0;
    for (let first = 0; first < subscriptionIds.length; first += atOnce) {
      const pipeline = client.pipeline();
      for (const id of subscriptionIds.slice(first, first + atOnce)) {
        pipeline.hgetBuffer(keys.usage(partitionOf(tenantId, id), tenantId, id), 'all');
      }
      for (const [error, counted] of (await pipeline.exec()) ?? []) {
        if (error) throw error;
        const all = unpackCount(counted as Buffer | null);
        upBytes += all.upBytes;
        downBytes += all.downBytes;
      }
    }
    return { upBytes, downBytes };
  } finally {
    client.disconnect();
  }
}

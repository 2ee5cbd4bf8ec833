// Reads the counters of a subscription in the windows that contain an instant.
import type { Cluster, Redis } from 'ioredis';
import { usageWindows } from '../fup/rules.ts';
import { keys, partitionOf } from './keys.ts';
import type { ByteCount, Usage, UsageWindows } from './types.ts';

/** `windows`: the last of each kind is the one asked for. */
export async function readUsage(
  redis: Redis | Cluster,
  tenantId: number,
  subscriptionId: number,
  windows: UsageWindows,
): Promise<Usage> {
  const names = ['all', ...usageWindows.map((kind) => `${kind}:${windows[kind].at(-1)?.fromMs ?? 0}`)];
  const key = keys.usage(partitionOf(tenantId, subscriptionId), tenantId, subscriptionId);
  const values = await redis.hmget(key, ...names.flatMap((name) => [`${name}:up`, `${name}:down`]));
  const count = (index: number): ByteCount => ({
    upBytes: Number(values[2 * index] ?? 0),
    downBytes: Number(values[2 * index + 1] ?? 0),
  });
  return { all: count(0), day: count(1), week: count(2), month: count(3) };
}

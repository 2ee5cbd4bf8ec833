// What flow-collector has received from whom, in Redis: every node publishes its own, whoever reads sees the sum.
import type { RedisClient } from './redis.ts';

export const exporterCounts = [
  'packets',
  'records',
  'unknownTemplates',
  'lateDecoded',
  'lost',
  'timeClamped',
  'unattributed',
  'sampled',
] as const;
export type ExporterCount = (typeof exporterCounts)[number];

/** Of one sender, since `countedSinceMs`. */
export type ExporterTraffic = Readonly<Record<ExporterCount, number>> & {
  readonly address: string;
  readonly lastSeenMs: number;
  readonly countedSinceMs: number;
};

/** zset: node → when it published last */
const nodesKey = 'flow:nodes';
/** hash: address → numbers in the order of `packed` */
const trafficKey = (node: string) => `flow:exporters:{${node}}`;
/** What a node said is forgotten when it has been silent for so long. */
const keptS = 3600;

/** Replaces what the node published before. */
export async function publishExporterTraffic(
  redis: RedisClient,
  node: string,
  traffic: readonly ExporterTraffic[],
  nowMs: number,
): Promise<void> {
  const key = trafficKey(node);
  const fields = traffic.flatMap((one) => [one.address, packed(one)]);
  const change = redis.multi().del(key);
  if (fields.length > 0) change.hset(key, ...fields).expire(key, keptS);
  for (const [error] of (await change.exec()) ?? []) if (error) throw error;
  await redis.zadd(nodesKey, nowMs, node);
  await redis.zremrangebyscore(nodesKey, '-inf', nowMs - keptS * 1000);
}

/** By address, summed over the nodes. */
export async function readExporterTraffic(redis: RedisClient): Promise<Map<string, ExporterTraffic>> {
  const nodes = await redis.zrange(nodesKey, 0, '-1');
  const found = new Map<string, ExporterTraffic>();
  for (const hash of await Promise.all(nodes.map((node) => redis.hgetall(trafficKey(node))))) {
    for (const [address, text] of Object.entries(hash)) {
      const one = unpacked(address, text);
      const other = found.get(address);
      found.set(address, other ? sum(one, other) : one);
    }
  }
  return found;
}

function packed(one: ExporterTraffic): string {
  return [one.lastSeenMs, one.countedSinceMs, ...exporterCounts.map((name) => one[name])].join(' ');
}

function unpacked(address: string, text: string): ExporterTraffic {
  const [lastSeenMs = 0, countedSinceMs = 0, ...counts] = text.split(' ').map(Number);
  const named = Object.fromEntries(exporterCounts.map((name, index) => [name, counts[index] ?? 0]));
  return { ...(named as Record<ExporterCount, number>), address, lastSeenMs, countedSinceMs };
}

function sum(one: ExporterTraffic, other: ExporterTraffic): ExporterTraffic {
  const counts = Object.fromEntries(exporterCounts.map((name) => [name, one[name] + other[name]]));
  return {
    ...(counts as Record<ExporterCount, number>),
    address: one.address,
    lastSeenMs: Math.max(one.lastSeenMs, other.lastSeenMs),
    countedSinceMs: Math.min(one.countedSinceMs, other.countedSinceMs),
  };
}

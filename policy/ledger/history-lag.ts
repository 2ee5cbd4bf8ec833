// How far the history in ClickHouse reaches: what of the outbox still waits in Redis or on the disk of a shipper.
import type { Cluster, Redis } from 'ioredis';
import { keys } from './keys.ts';
import { partitionCount } from './types.ts';

type Store = Redis | Cluster;

const partitions = Array.from({ length: partitionCount }, (_, partition) => partition);

/** Every record that was applied in the partition before this instant is in ClickHouse by the time this is answered. */
export async function historyCompleteUntil(redis: Store, partition: number, nowMs: number): Promise<number> {
  // The stream first: an entry leaves it only after its shipper has told that it waits on a disk.
  const inStream = await oldestInStream(redis, partition);
  const onDisks = await waitingOnDisks(redis);
  return Math.min(nowMs, inStream ?? nowMs, ...onDisks.values());
}

/** When the oldest entry of the partition's stream was written; undefined when there is none. */
export async function oldestInStream(redis: Store, partition: number): Promise<number | undefined> {
  const [oldest] = await redis.xrangeBuffer(keys.accounted(partition), '-', '+', 'COUNT', 1);
  return oldest && msOfId(String(oldest[0]));
}

/** The same of all partitions. */
export async function oldestInStreams(redis: Store): Promise<number | undefined> {
  const oldest = await Promise.all(partitions.map((partition) => oldestInStream(redis, partition)));
  const instants = oldest.filter((instant) => instant !== undefined);
  return instants.length === 0 ? undefined : Math.min(...instants);
}

/** Entries in the streams of all partitions. */
export async function entriesInStreams(redis: Store): Promise<number> {
  const lengths = await Promise.all(partitions.map((partition) => redis.xlen(keys.accounted(partition))));
  return lengths.reduce((sum, length) => sum + length, 0);
}

/** Node → instant of the oldest row on its disk. */
export async function waitingOnDisks(redis: Store): Promise<Map<string, number>> {
  const nodes = await redis.hgetall(keys.outboxWaiting);
  return new Map(Object.entries(nodes).map(([node, oldestMs]) => [node, Number(oldestMs)]));
}

/** What waits on the disk of this node; undefined: nothing. To be told before entries leave the stream. */
export async function tellWaiting(redis: Store, node: string, oldestMs: number | undefined): Promise<void> {
  if (oldestMs === undefined) await redis.hdel(keys.outboxWaiting, node);
  else await redis.hset(keys.outboxWaiting, node, Math.floor(oldestMs));
}

/** Ids of streams begin with the instant at which Redis wrote the entry. */
export function msOfId(id: string): number {
  return Number(id.split('-', 1)[0]);
}

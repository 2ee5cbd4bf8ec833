// The counters of a subscription: reads those of the windows that contain an instant, or all of a usage hash.
import type { Cluster, Redis } from 'ioredis';
import { usageWindows } from '../fup/rules.ts';
import { readUint } from './bytes.ts';
import { keys, partitionOf } from './keys.ts';
import { createPacker } from './packer.ts';
import type { ByteCount, Usage, UsageWindows } from './types.ts';

/** `windows`: the last of each kind is the one asked for. */
export async function readUsage(
  redis: Redis | Cluster,
  tenantId: number,
  subscriptionId: number,
  windows: UsageWindows,
): Promise<Usage> {
  const key = keys.usage(partitionOf(tenantId, subscriptionId), tenantId, subscriptionId);
  return usageOf(await redis.hmgetBuffer(key, ...counterNames(windows)));
}

/** Names of the counters of the last windows: all, day, week, month. */
export function counterNames(windows: UsageWindows): string[] {
  return ['all', ...usageWindows.map((kind) => `${kind}:${windows[kind].at(-1)?.fromMs ?? 0}`)];
}

/** The counters in the order of {@link counterNames}. */
export function usageOf([all, day, week, month]: readonly (Buffer | null)[]): Usage {
  return { all: unpackCount(all), day: unpackCount(day), week: unpackCount(week), month: unpackCount(month) };
}

/** Every counter of a usage hash by its name: `all`, `day:<start>`, `week:<start>`, `month:<start>`. */
export function unpackUsage(fields: Readonly<Record<string, Buffer>>): Map<string, ByteCount> {
  const names = Object.keys(fields).filter((name) => /^(?:all|(?:day|week|month):\d+)$/.test(name));
  return new Map(names.map((name) => [name, unpackCount(fields[name])]));
}

const packer = createPacker();

/** Up and down in seven octets each, as lua/usage.lua packs them. */
export function packCount({ upBytes, downBytes }: ByteCount): Buffer {
  packer.begin();
  packer.uint(upBytes, 7);
  packer.uint(downBytes, 7);
  return packer.take();
}

/** Nothing stored is zero. */
export function unpackCount(bytes: Buffer | null | undefined): ByteCount {
  if (bytes?.length !== 14) return { upBytes: 0, downBytes: 0 };
  return { upBytes: readUint(bytes, 0, 7), downBytes: readUint(bytes, 7, 7) };
}

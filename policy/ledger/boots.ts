// Boot instants of NAS instances: told to every partition, kept by instance, and sent along with each record.
import type { Cluster, Redis } from 'ioredis';
import type { CallFunction } from './call.ts';
import { keys, tag } from './keys.ts';
import { partitionCount } from './types.ts';

export type Boots = {
  /** What this process knows of the instance; the first question also asks the store. */
  known(nasInstance: string): readonly number[];
  /** Closes the sessions that the boot ended, in every partition; may be repeated. */
  note(nasInstance: string, atMs: number): Promise<void>;
  /** The same in one partition. */
  noteIn(partition: number, nasInstance: string, atMs: number): Promise<void>;
};

const mostKept = 4;
const closedPerCall = 100;

export function createBoots(redis: Redis | Cluster, call: CallFunction, onProblem: (error: unknown) => void): Boots {
  const instants = new Map<string, readonly number[]>();

  function remember(nasInstance: string, more: readonly number[]): void {
    const all = new Set([...(instants.get(nasInstance) ?? []), ...more]);
    instants.set(nasInstance, [...all].sort((a, b) => a - b).slice(-mostKept));
  }

  async function ask(nasInstance: string): Promise<void> {
    const stored = await redis.zrange(keys.nas(nasInstance), '0', '-1');
    remember(nasInstance, stored.map(Number));
  }

  async function noteIn(partition: number, nasInstance: string, atMs: number): Promise<void> {
    const args = [tag(partition), nasInstance, atMs, closedPerCall];
    while ((await call('accounting_boot', [keys.boots(partition)], args)) === closedPerCall);
  }

  return {
    noteIn,
    known(nasInstance) {
      const known = instants.get(nasInstance);
      if (known) return known;
      remember(nasInstance, []);
      ask(nasInstance).catch((error: unknown) => {
        instants.delete(nasInstance);
        onProblem(error);
      });
      return [];
    },
    async note(nasInstance, atMs) {
      remember(nasInstance, [atMs]);
      const key = keys.nas(nasInstance);
      await redis.zadd(key, atMs, String(atMs));
      await redis.zremrangebyrank(key, 0, -1 - mostKept);
      await Promise.all(Array.from({ length: partitionCount }, (_, partition) => noteIn(partition, nasInstance, atMs)));
    },
  };
}

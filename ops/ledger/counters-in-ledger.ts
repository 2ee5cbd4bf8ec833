// The counters that the ledger in Redis has for subscriptions of one partition, at one instant, and what it had applied by then.
import type { RedisClient } from '#ops/stores/redis.ts';
import { msOfId } from '#policy/ledger/history-lag.ts';
import { keys } from '#policy/ledger/keys.ts';
import { unpackUsage } from '#policy/ledger/usage.ts';
import type { Counters } from './counters.ts';
import type { Subscriber } from './subscribers.ts';

export type LedgerSnapshot = {
  readonly counters: readonly Counters[];
  /** WAL → applied position. */
  readonly upTo: ReadonlyMap<string, number>;
  /** When the newest entry of the outbox was written; undefined: there is none. */
  readonly newestMs: number | undefined;
};

/** In the order of `who`, all of the same partition; one transaction reads it all. */
export async function countersInLedger(
  redis: RedisClient,
  partition: number,
  who: readonly Subscriber[],
): Promise<LedgerSnapshot> {
  const transaction = redis.multi();
  transaction.hgetall(keys.lanes(partition));
  transaction.xrevrange(keys.accounted(partition), '+', '-', 'COUNT', 1);
  for (const { tenantId, subscriptionId } of who)
    transaction.hgetallBuffer(keys.usage(partition, tenantId, subscriptionId));
  const answers = ((await transaction.exec()) ?? []).map(([error, answer]) => {
    if (error) throw error;
    return answer;
  });
  const [lanes, newest, ...usages] = answers as [Fields, [string, string[]][], ...Record<string, Buffer>[]];
  const newestId = newest[0]?.[0];
  return {
    counters: usages.map(withBytes),
    upTo: lanesOf(lanes),
    newestMs: newestId === undefined ? undefined : msOfId(newestId),
  };
}

type Fields = Readonly<Record<string, string>>;

/** Fields that begin with a colon are no WALs (policy/ledger/lua/lane.lua). */
export function lanesOf(fields: Fields): Map<string, number> {
  const lanes = Object.entries(fields).filter(([name]) => !name.startsWith(':'));
  return new Map(lanes.map(([wal, position]) => [wal, Number(position)]));
}

/** Those without bytes are absent. */
function withBytes(fields: Readonly<Record<string, Buffer>>): Counters {
  return new Map([...unpackUsage(fields)].filter(([, { upBytes, downBytes }]) => upBytes + downBytes > 0));
}

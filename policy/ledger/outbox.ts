// The outbox of the ledger: what every applied record did, as the shipper reads it from the streams `acct:{pNN}` and removes it.
import type { Cluster, Redis } from 'ioredis';
import { createFunctionCaller } from './call.ts';
import { keys } from './keys.ts';
import { decodeEntry, type OutboxRow, writtenBefore } from './outbox-entry.ts';

export type OutboxRead = {
  /** Stream ids of the entries. */
  readonly ids: readonly string[];
  readonly rows: readonly OutboxRow[];
  /** Of entries that cannot be read: of a newer library, or damaged. */
  readonly unreadable: readonly string[];
};

export type Outbox = ReturnType<typeof createOutbox>;

const group = 'shipper';

/** `consumer`: stands for this process in the group; the same name after a restart finds what it was given before. */
export function createOutbox(redis: Redis | Cluster, consumer: string) {
  const { call } = createFunctionCaller(redis, () => {});
  const claiming = redis as unknown as Claiming;

  async function createGroup(key: string): Promise<void> {
    try {
      await redis.xgroup('CREATE', key, group, '0', 'MKSTREAM');
    } catch (error) {
      if (!saysWord(error, 'BUSYGROUP')) throw error;
    }
  }

  /** An empty or older store has no group: everything in it is unread. */
  async function withGroup<T>(key: string, command: () => Promise<T>): Promise<T> {
    try {
      return await command();
    } catch (error) {
      if (!saysWord(error, 'NOGROUP')) throw error;
      await createGroup(key);
      return command();
    }
  }

  async function readFrom(partition: number, from: string, count: number): Promise<OutboxRead> {
    const key = keys.accounted(partition);
    const answer = await withGroup(key, () =>
      redis.xreadgroupBuffer('GROUP', group, consumer, 'COUNT', count, 'STREAMS', key, from),
    );
    const [stream] = (answer ?? []) as [Buffer, RawEntry[]][];
    return decode(partition, stream?.[1] ?? []);
  }

  return {
    /** Entries that no consumer was given yet, oldest first. */
    read: (partition: number, count: number) => readFrom(partition, '>', count),

    /** Entries this consumer was given behind the id `after` and has not dealt with: after a restart. */
    unfinished: (partition: number, count: number, after = '0') => readFrom(partition, after, count),

    /** Takes over entries from the id `from` on that any consumer was given so long ago and has not dealt with; `next`: where to go on, null at the end. */
    async claimStale(
      partition: number,
      idleMs: number,
      count: number,
      from = '0-0',
    ): Promise<OutboxRead & { readonly next: string | null }> {
      const key = keys.accounted(partition);
      const answer = await withGroup(key, () =>
        claiming.xautoclaimBuffer(key, group, consumer, idleMs, from, 'COUNT', count),
      );
      const next = answer[0].toString('latin1');
      return { ...decode(partition, answer[1]), next: next === '0-0' ? null : next };
    },

    /** The entries are kept elsewhere. They leave the stream as soon as all before them have been dealt with too. */
    async done(partition: number, ids: readonly string[]): Promise<void> {
      for (let from = 0; from < ids.length; from += mostAtOnce) {
        try {
          await call('outbox_done', [keys.accounted(partition)], ids.slice(from, from + mostAtOnce));
        } catch (error) {
          // A store that came back empty has nothing of them.
          if (!saysWord(error, 'NOGROUP')) throw error;
        }
      }
    },

    /** Bytes in the stream, without what Redis needs to keep them. */
    async size(partition: number): Promise<number> {
      const key = keys.accounted(partition);
      const [oldest] = (await redis.xrangeBuffer(key, '-', '+', 'COUNT', 1)) as RawEntry[];
      if (!oldest) return 0;
      const before = writtenBefore(oldest[1]?.[1]);
      const written = Number(await redis.hget(keys.lanes(partition), writtenField));
      return Math.max(0, written - before);
    },
  };
}

/** Arguments of a Lua function lie on a stack of 8000. */
const mostAtOnce = 4000;
/** A field of the lane hash (lua/lane.lua): bytes ever written to the outbox of the partition. */
const writtenField = ':written';

/** An entry removed meanwhile has no fields. */
type RawEntry = [id: Buffer, fields: Buffer[] | null];

/** What ioredis has, and its types lack. */
type Claiming = {
  xautoclaimBuffer(
    ...args: [
      key: string,
      group: string,
      consumer: string,
      idleMs: number,
      start: string,
      token: 'COUNT',
      count: number,
    ]
  ): Promise<[next: Buffer, entries: RawEntry[]]>;
};

function decode(partition: number, raw: readonly RawEntry[]): OutboxRead {
  const rows: OutboxRow[] = [];
  const ids: string[] = [];
  const unreadable: string[] = [];
  for (const [entry, fields] of raw) {
    const id = String(entry);
    const found = decodeEntry(id, partition, fields?.[1]);
    if (!found) {
      unreadable.push(id);
      continue;
    }
    ids.push(id);
    rows.push(...found);
  }
  return { ids, rows, unreadable };
}

function saysWord(error: unknown, word: string): boolean {
  return error instanceof Error && error.message.startsWith(word);
}

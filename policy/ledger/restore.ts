// Brings partitions of the ledger back from the history, while they are paused: counters, sessions, positions of lanes.
import { randomUUID } from 'node:crypto';
import { Cluster, type Redis } from 'ioredis';
import { type UsageWindow, usageWindows } from '../fup/rules.ts';
import { thresholdsText, windowsText } from './arguments.ts';
import { createFunctionCaller } from './call.ts';
import { keys, partitionOf, tag } from './keys.ts';
import { readState } from './state.ts';
import type { ByteCount, Interval, Meter, Threshold, UsageWindows } from './types.ts';
import { packCount } from './usage.ts';

export type RestoredUsage = {
  readonly tenantId: number;
  readonly subscriptionId: number;
  readonly all: ByteCount;
  /** Of each kind at least the present window and the one before it; zero ones may be left out. */
  readonly counts: Readonly<Record<UsageWindow, readonly (ByteCount & Pick<Interval, 'fromMs'>)[]>>;
  /** The window of each kind that contains the present, and the one before it; flows count by them until the first accounting call. */
  readonly windows: UsageWindows;
  readonly thresholds: readonly Threshold[];
  readonly meter: Meter;
  readonly meterSinceMs: number | null;
};

export type RestoredSession = {
  /** Where its records were applied: of a subscriber `partitionOf`, else the partition of their entries. */
  readonly partition: number;
  readonly tenantId: number;
  readonly nasId: number;
  readonly nasInstance: string;
  readonly sessionId: string;
  /** Of each incarnation the states of its entries (OutboxRow.state), oldest first: the last one holds; earlier ones describe what it lacks. */
  readonly incarnations: readonly (readonly string[])[];
};

export type Restore = ReturnType<typeof createRestore>;

/** A pause that nobody ends or makes longer is over after ten minutes. */
const pauseMs = 600_000;

/**
 * `begin` every partition that is rebuilt, `clear`, bring usage and sessions, `end`. Every call but `begin` is rejected with
 * RESTOREOVER when the pause it belongs to has ended. `token`: the same continues what was broken off.
 */
export function createRestore(redis: Redis | Cluster, token: string = randomUUID()) {
  const { call, load } = createFunctionCaller(redis, () => {});

  /** Without positions an applier does not go on by mistake, should the pause end before the rebuild does. */
  async function forgetLanes(partition: number): Promise<void> {
    const key = keys.lanes(partition);
    const wals = (await redis.hkeys(key)).filter((name) => !name.startsWith(':'));
    if (wals.length > 0) await redis.hdel(key, ...wals);
  }

  return {
    load,

    /** Pauses the partition, or makes its pause longer; false while another rebuild has it. Calls of the ledger are answered LEDGERPAUSED. */
    async begin(partition: number): Promise<boolean> {
      return (await call('restore_begin', [keys.lanes(partition)], [token, pauseMs])) === 1;
    },

    /** Forgets counters, sessions and lanes of these partitions, which must be paused. What enforcement keeps and the streams stay. */
    async clear(partitions: readonly number[]): Promise<void> {
      const cleared = new Set(partitions.map(tag));
      const primaries = redis instanceof Cluster ? redis.nodes('master') : [redis];
      await Promise.all(primaries.map((primary) => clearOn(primary, cleared)));
      await Promise.all(partitions.map(forgetLanes));
    },

    async usage(usage: RestoredUsage): Promise<void> {
      const { tenantId, subscriptionId, all, counts, windows, thresholds, meter, meterSinceMs } = usage;
      const partition = partitionOf(tenantId, subscriptionId);
      const fields = usageWindows.flatMap((kind) =>
        counts[kind].flatMap((count) => [`${kind}:${count.fromMs}`, packCount(count)]),
      );
      await call(
        'restore_usage',
        [keys.lanes(partition), keys.usage(partition, tenantId, subscriptionId)],
        [
          ...[token, windowsText(windows), thresholdsText(thresholds), meter === 'flow' ? 1 : 0, meterSinceMs ?? 0],
          ...['all', packCount(all), ...fields],
        ],
      );
    },

    async session(session: RestoredSession): Promise<void> {
      const { partition, tenantId, nasId, nasInstance, sessionId } = session;
      const incarnations = session.incarnations.flatMap((states) => incarnationOf(states) ?? []);
      const current = incarnations
        .filter((incarnation) => incarnation.current)
        .reduce((latest, next) => (latest && latest.incarnation > next.incarnation ? latest : next), incarnations[0]);
      if (!current) return;
      const earlier = incarnations
        .filter((incarnation) => incarnation !== current)
        .sort((a, b) => a.firstAtMs - b.firstAtMs || a.incarnation - b.incarnation);
      const next = 1 + Math.max(...incarnations.map(({ incarnation }) => incarnation));
      const olds = earlier.map(({ incarnation, classUuid }) => `${incarnation}:${classUuid};`).join('');
      const key = keys.session(partition, tenantId, nasInstance, sessionId);
      const bring = (name: string, isCurrent: boolean, text: string, states: readonly Buffer[]) =>
        call(
          'restore_session',
          [keys.lanes(partition), name],
          [token, tag(partition), isCurrent ? 1 : 0, next, text, nasId, nasInstance, ...states],
        );
      for (const old of earlier) await bring(`old:${key.slice(4)}:${old.incarnation}`, false, '', old.states);
      const [isOpen, lastMs, subscriptionId] = (await bring(key, true, olds, current.states)) as [
        number,
        number,
        number,
      ];
      await call(
        'directory_note',
        [keys.directory(nasInstance, sessionId)],
        [partition, tenantId, subscriptionId, current.incarnation, lastMs, isOpen === 1 ? 'open' : 'closed'],
      );
    },

    /** The lanes of each WAL go on behind these positions: the greatest that are in the history without a hole. */
    async end(partition: number, positions: ReadonlyMap<string, number>): Promise<void> {
      await call('restore_end', [keys.lanes(partition)], [token, ...[...positions].flat()]);
    },
  };
}

/** Whether the partition is being rebuilt: what is not in it may be brought back still. */
export async function isPaused(redis: Redis | Cluster, partition: number, nowMs: number): Promise<boolean> {
  const stored = (await redis.hget(keys.lanes(partition), ':paused')) ?? '';
  return nowMs < Number(/^(\d+) /.exec(stored)?.[1] ?? 0);
}

function incarnationOf(states: readonly string[]) {
  const packed = states.map((state) => Buffer.from(state, 'base64'));
  const last = packed.at(-1);
  const state = last && readState(last);
  return state && { ...state, states: packed };
}

/** Kinds of keys that are made from records alone. */
const made = /^(?:use|ses|old|subses|live|livenas|online):(\{p\d\d\})/;

async function clearOn(primary: Redis, cleared: ReadonlySet<string>): Promise<void> {
  let cursor = '0';
  do {
    const [next, found] = await primary.scan(cursor, 'COUNT', 1000);
    const doomed = found.filter((key) => cleared.has(made.exec(key)?.[1] ?? ''));
    // Of a cluster's primary one command may name keys of one slot only.
    await Promise.all(doomed.map((key) => primary.unlink(key)));
    cursor = next;
  } while (cursor !== '0');
}

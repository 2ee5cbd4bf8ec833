// Keeps the pools in step with the sessions: what the streams `address:{pNN}` tell confirms and ends leases; what nobody tells is looked at.
import type { Cluster, Redis } from 'ioredis';
import type { Clock } from '#ops/runtime/clock.ts';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import { type AddressEvent, decodeAddress } from '#policy/ledger/addresses.ts';
import { keys } from '#policy/ledger/keys.ts';
import type { SeenSequences } from '#policy/ledger/login.ts';
import { createPoolLedger, type DueUnit, readPoolUse, type UnitNote } from '#policy/ledger/pools.ts';
import { isPaused } from '#policy/ledger/restore.ts';
import { readSessions } from '#policy/ledger/sessions.ts';
import { type LiveSession, partitionCount } from '#policy/ledger/types.ts';
import type { Pool, PoolFamily } from '#policy/network/pool.ts';
import { createUnitIndex } from '#policy/network/units.ts';
import type { SnapshotReader } from '../subscribers/records.ts';
import type { PoolMetrics } from './metrics.ts';
import { createSessionWalk, staleMs } from './session-walk.ts';

export type PoolKeeperOptions = {
  redis: Redis | Cluster;
  /** Names this node among those that read the streams together. */
  node: string;
  snapshot: Pick<SnapshotReader, 'poolList' | 'nasGeneration'>;
  clock: Clock;
  metrics: PoolMetrics;
  log: Logger;
  seen?: SeenSequences;
  /** Whether records of this node wait to be applied that may be older than what the ledger shows: lanes catch up, or stand. */
  catchesUp?(): Promise<boolean>;
  readEveryMs?: number;
};

export type PoolKeeper = Part & {
  /** Reads and looks once. */
  round(): Promise<void>;
};

const group = 'pools';
const entriesPerRead = 500;
/** A node that read entries and died: after this long another one takes them. */
const abandonedMs = 60_000;
const lookEveryMs = 10_000;
const lookAtOnce = 500;
const againMs = 10 * 60_000;

type Entry = [id: string, fields: string[]];

export function createPoolKeeper(options: PoolKeeperOptions): PoolKeeper {
  const { redis, node, snapshot, clock, metrics, log, readEveryMs = 500 } = options;
  const ledger = createPoolLedger(redis, options.seen);
  let pools: readonly Pool[] = [];
  let indexes = new Map<number, ReturnType<typeof createUnitIndex>>();
  let generation = Number.NaN;
  let grouped = false;
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  let stopping = false;
  let running: Promise<void> | undefined;
  let wake = () => {};
  let told = false;
  const walk = createSessionWalk({ redis, ledger, clock, take, readStreams, isStopping: () => stopping });

  function refresh(): void {
    const now = snapshot.nasGeneration();
    if (now === generation) return;
    generation = now;
    pools = snapshot.poolList();
    const byTenant = Map.groupBy(pools, ({ tenantId }) => tenantId);
    indexes = new Map([...byTenant].map(([tenantId, list]) => [tenantId, createUnitIndex(list)]));
    metrics.forget();
    // What was forgotten is shown again at once.
    lookedAtMs = Number.NEGATIVE_INFINITY;
  }

  async function groupUp(): Promise<void> {
    await Promise.all(
      allPartitions.map(async (partition) => {
        try {
          await redis.xgroup('CREATE', keys.addresses(partition), group, '0', 'MKSTREAM');
        } catch (error) {
          if (!(error instanceof Error) || !error.message.startsWith('BUSYGROUP')) throw error;
        }
      }),
    );
    grouped = true;
  }

  /** @returns whether the stream may have more */
  async function readPartition(partition: number, claim: boolean): Promise<boolean> {
    const stream = keys.addresses(partition);
    const entries: Entry[] = [];
    if (claim) {
      const [, claimed] = (await redis.xautoclaim(
        stream,
        group,
        node,
        abandonedMs,
        '0-0',
        'COUNT',
        entriesPerRead,
      )) as [string, Entry[]];
      entries.push(...claimed);
    }
    const read = (await redis.xreadgroup('GROUP', group, node, 'COUNT', entriesPerRead, 'STREAMS', stream, '>')) as
      | [[string, Entry[]]]
      | null;
    const fresh = read?.[0]?.[1] ?? [];
    entries.push(...fresh);
    if (entries.length === 0) return false;
    // Null fields: the entry was trimmed while it was pending. The look at live units repairs what it told.
    await take(entries.flatMap(([, fields]) => (fields ? (decodeAddress(fields) ?? []) : [])));
    await redis.xack(stream, group, ...entries.map(([id]) => id));
    return fresh.length === entriesPerRead;
  }

  /** Whatever the streams have. */
  async function readStreams(claim: boolean): Promise<void> {
    for (let more = allPartitions; more.length > 0 && !stopping; ) {
      const read = await Promise.all(
        more.map(async (partition) => ((await readPartition(partition, claim)) ? [partition] : [])),
      );
      more = read.flat();
    }
  }

  async function take(events: readonly AddressEvent[]): Promise<void> {
    const byPool = new Map<Pool, UnitNote[]>();
    for (const event of events) {
      for (const [family, text] of addressesOf(event)) {
        const place = indexes.get(event.tenantId)?.find(family, text);
        if (!place) continue;
        const note: UnitNote = {
          unit: place.unit,
          subscriptionId: event.subscriptionId,
          sessionKey: event.sessionKey,
          incarnation: event.incarnation,
          atMs: event.toMs ?? event.fromMs,
          open: event.toMs === null,
        };
        if (!byPool.get(place.pool)?.push(note)) byPool.set(place.pool, [note]);
      }
    }
    for (const [pool, notes] of byPool) {
      metrics.notes.inc(notes.length);
      for (let at = 0; at < notes.length; at += 100) await ledger.note(pool, notes.slice(at, at + 100), clock.nowMs());
    }
  }

  /** `paused`: of half a ledger every session looks as if it had ended. `unsettled`: addresses still come back with their sessions. */
  async function look(pool: Pool, paused: ReadonlySet<number>, unsettled: boolean): Promise<void> {
    const nowMs = clock.nowMs();
    await ledger.tend(pool, nowMs, lookAtOnce, unsettled);
    const due = await ledger.due(pool, nowMs, againMs, lookAtOnce);
    const over = await Promise.all(due.map(async (unit) => ((await isOver(pool, unit, nowMs, paused)) ? [unit] : [])));
    const notes = over.flat().map((unit): UnitNote => ({ ...unit, open: 'lost' }));
    if (notes.length > 0) metrics.released.inc(await ledger.note(pool, notes, nowMs));
    metrics.show(pool, await readPoolUse(redis, pool.id));
  }

  async function isOver(pool: Pool, unit: DueUnit, nowMs: number, paused: ReadonlySet<number>): Promise<boolean> {
    const partition = Number(/\{p(\d\d)\}/.exec(unit.sessionKey)?.[1] ?? Number.NaN);
    if (!(partition < partitionCount)) return true;
    if (paused.has(partition)) return false;
    const [session] = await readSessions(redis, partition, [unit.sessionKey]);
    if (!session || session.incarnation !== unit.incarnation) return true;
    return nowMs - session.lastEventAtMs > staleMs || !holds(session, pool, unit.unit);
  }

  /** A session that changed its address said so in the stream; here it is only made sure of. */
  function holds(session: LiveSession, pool: Pool, unit: string): boolean {
    const index = indexes.get(session.tenantId);
    return addressesOf(session).some(([family, text]) => {
      const place = index?.find(family, text);
      return place?.pool.id === pool.id && place.unit === unit;
    });
  }

  async function round(): Promise<void> {
    refresh();
    if (pools.length === 0) return;
    try {
      await readAndLook();
    } catch (error) {
      // A store that came back empty has no groups.
      grouped = false;
      throw error;
    }
  }

  async function readAndLook(): Promise<void> {
    if (!grouped) await groupUp();
    const looks = clock.monotonicMs() - lookedAtMs >= lookEveryMs;
    await readStreams(looks);
    if (!looks) return;
    lookedAtMs = clock.monotonicMs();
    const nowMs = clock.nowMs();
    const pauses = await Promise.all(allPartitions.map((partition) => isPaused(redis, partition, nowMs)));
    const paused = new Set(allPartitions.filter((partition) => pauses[partition]));
    const unsettled = paused.size > 0 || ((await options.catchesUp?.()) ?? false);
    if (!unsettled) await walk.openNewRanges(pools);
    for (const pool of pools) if (!stopping) await look(pool, paused, unsettled);
    await walk.on(nowMs);
  }

  async function run(): Promise<void> {
    while (!stopping) {
      try {
        await round();
        told = false;
      } catch (error) {
        if (!told && !stopping)
          log.warn({ err: error }, 'pools are not kept in step with the sessions, it is tried again');
        told = true;
      }
      if (stopping) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, readEveryMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  return {
    name: 'pools',
    round,
    async start() {
      running ??= run();
    },
    async stop() {
      stopping = true;
      wake();
      await running;
    },
  };
}

const allPartitions = Array.from({ length: partitionCount }, (_, partition) => partition);

function addressesOf(
  from: Pick<AddressEvent, 'framedIp' | 'framedIpv6Prefix' | 'delegatedIpv6Prefix'>,
): (readonly [PoolFamily, string])[] {
  const all = [
    ['ipv4', from.framedIp],
    ['ipv6_prefix', from.framedIpv6Prefix],
    ['delegated_prefix', from.delegatedIpv6Prefix],
  ] as const;
  return all.filter(([, text]) => text !== '');
}

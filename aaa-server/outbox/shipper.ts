// Ships the outbox of the ledger: entries go to disk in batches, then leave Redis, then go to ClickHouse. Proof: ops/docs/history.md.
import { randomUUID } from 'node:crypto';
import { createBreaker } from '#ops/lanes/breaker.ts';
import { type Clock, systemClock } from '#ops/runtime/clock.ts';
import { messageOf } from '#ops/runtime/errors.ts';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import { type StoredBatch, readReceipt as storedReceipt } from '#ops/spool/batch-file.ts';
import { type BatchStore, createDrain, type Drain } from '#ops/spool/drain.ts';
import { openSpool, type Spool } from '#ops/spool/spool.ts';
import type { RedisClient } from '#ops/stores/redis.ts';
import { entriesInStreams, tellWaiting } from '#policy/ledger/history-lag.ts';
import type { Outbox } from '#policy/ledger/outbox.ts';
import type { Shippers } from '#policy/ledger/shippers.ts';
import type { Alarms } from './alarms.ts';
import { everyPartition, gather, partitionsAtOnce, type Source } from './gather.ts';
import type { OutboxMetrics } from './metrics.ts';
import { readReceipt, writeReceipt } from './receipt.ts';
import { insertAccounting } from './row.ts';

export type ShipperOptions = {
  redis: RedisClient;
  /** With `node` as its consumer. */
  outbox: Outbox;
  shippers: Shippers;
  node: string;
  /** Of the batches. */
  folder: string;
  /** Without one nothing is shipped: rows wait on disk. */
  store: BatchStore | undefined;
  /** So many bytes may wait on disk. */
  limitBytes: number;
  metrics: Pick<OutboxMetrics, 'shipped' | 'failures'>;
  alarms: Alarms;
  log: Logger;
  clock?: Clock;
  batchRows?: number;
  everyMs?: number;
  /** The same while ClickHouse is away: Redis keeps them a little longer, and files are fewer. */
  awayEveryMs?: number;
};

export type Shipper = Part & {
  /** Undefined until it was opened. */
  spool(): Spool | undefined;
  /** Why history is late; null when it is not. */
  trouble(): string | null;
};

const longestGatherMs = 1000;
/** Below this share of the limit the disk takes rows again. */
const calmShare = 0.9;
/** Entries of a partition: any may have the 500 rows of flow usage. */
const claimedAtOnce = 8;
/** Bytes in Redis that are worth an alarm. */
const muchInRedis = 2 ** 30;
/** Of accounting; a batch of flow usage has more, and comes less often. */
const mostRowsOfEntry = 16;

export function createShipper(options: ShipperOptions): Shipper {
  const {
    redis,
    outbox,
    shippers,
    node,
    folder,
    store,
    limitBytes,
    metrics,
    alarms,
    log,
    clock = systemClock,
  } = options;
  const { batchRows = 50_000, everyMs = 1000, awayEveryMs = 60_000 } = options;
  const breaker = createBreaker();
  let spool: Spool | undefined;
  let drain: Drain | undefined;
  /** On disk, and Redis does not know it yet. */
  let unsettled: StoredBatch[] = [];
  /** Partitions that are ours to read. */
  let ours: number[] = [];
  /** Entries of these may have been given to somebody and never kept: before a crash or a change of hands, or when an answer was lost. */
  const astray = new Set(everyPartition);
  let told: number | undefined;
  let full = false;
  /** A batch begins with another partition than the one before: where more comes than is shipped, none waits for all others. */
  let first = 0;
  let readAtMs = Number.NEGATIVE_INFINITY;
  let failing = false;
  let stopping = false;
  let running: Promise<void> | undefined;
  let interrupt = () => {};
  const stopped = () => stopping;

  async function open(): Promise<Spool> {
    const opened = await openSpool(folder, (error) => alarms.raise('batch_unreadable', { err: error }));
    spool = opened;
    unsettled = [...opened.batches()];
    drain = store && drainOf(opened, store);
    drain?.start();
    return opened;
  }

  function drainOf(from: Spool, to: BatchStore): Drain {
    return createDrain({
      spool: from,
      store: to,
      log,
      clock,
      onInserted: ({ rows }) => metrics.shipped.inc(rows),
      onFailure: (error) => metrics.failures.inc({ error }),
      onRefused: ({ file, rows }, error) => alarms.raise('batch_refused', { file, rows, err: error }),
    });
  }

  /** Tells where history stands, before entries leave the stream and after rows have arrived. */
  async function tell(from: Spool): Promise<void> {
    const oldestMs = from.oldestMs();
    if (oldestMs === undefined && told === undefined) return;
    await tellWaiting(redis, node, oldestMs);
    told = oldestMs;
  }

  /** What is on disk leaves Redis; only then it may leave the disk. */
  async function settle(from: Spool): Promise<void> {
    for (let [batch] = unsettled; batch; [batch] = unsettled) {
      await tell(from);
      const receipt = await readReceipt(await storedReceipt(batch));
      await Promise.all([...receipt].map(([partition, ids]) => outbox.done(partition, ids)));
      unsettled.shift();
      drain?.offer(batch);
    }
  }

  /** Which partitions this node reads; of those that change hands nothing is certain. */
  async function take(): Promise<void> {
    const held = await shippers.take();
    for (const partition of everyPartition) if (held[partition] !== 'held') astray.add(partition);
    ours = everyPartition.filter((partition) => held[partition] !== 'no');
  }

  /** Fixes the next entries of `source` on disk; answers how many there were. `enough`: what it has then is a batch. */
  async function keep(into: Spool, partitions: readonly number[], source: Source, enough = stopped): Promise<number> {
    // After a failure only a little is tried at once.
    const mostRows = breaker.limit(batchRows);
    first = (first + partitionsAtOnce) % everyPartition.length;
    const turns = [...partitions.filter((each) => each >= first), ...partitions.filter((each) => each < first)];
    const gathered = await gather(turns, source, mostRows, enough).catch((error) => {
      everythingAstray();
      throw error;
    });
    const { rows, oldestMs, receipt, body, failures, unreadable } = gathered;
    if (unreadable.length > 0) alarms.raise('entry_unreadable', { ids: unreadable.slice(0, 10) });
    if (failures.length > 0) everythingAstray();
    if (rows > 0) {
      const facts = { token: randomUUID(), into: insertAccounting, rows, oldestMs };
      try {
        unsettled.push(await into.add({ ...facts, receipt: await writeReceipt(receipt), body }));
      } catch (error) {
        everythingAstray();
        alarms.raise('disk_refuses', { err: error });
        throw error;
      }
      alarms.clear('disk_refuses');
      await settle(into);
    }
    if (failures.length > 0) throw failures[0];
    return rows;
  }

  function everythingAstray(): void {
    for (const partition of everyPartition) astray.add(partition);
  }

  /** What somebody was given and did not keep comes before what nobody was given. */
  async function recover(into: Spool): Promise<void> {
    const partitions = ours.filter((partition) => astray.has(partition));
    /** How far each was looked through: entries that cannot be read stay where they are, and hide nothing behind them. */
    const from = new Map<number, string>();
    for (let left = partitions; left.length > 0 && !stopping; ) {
      const through = new Set<number>();
      // Asked once: what is in our hand would be given again.
      const asked = new Set<number>();
      await keep(into, left, async (partition) => {
        if (asked.has(partition)) return { ids: [], rows: [], unreadable: [] };
        asked.add(partition);
        const { next, ...read } = await outbox.claimStale(partition, 0, claimedAtOnce, from.get(partition));
        if (next === null) through.add(partition);
        else from.set(partition, next);
        return read;
      });
      left = left.filter((partition) => !through.has(partition));
    }
    if (!stopping) for (const partition of partitions) astray.delete(partition);
  }

  /** Whether rows should be fetched now. */
  async function due(): Promise<boolean> {
    if (drain?.trouble() === null) return true;
    return (
      clock.monotonicMs() - readAtMs >= awayEveryMs || (await entriesInStreams(redis)) * mostRowsOfEntry >= batchRows
    );
  }

  /** Perhaps another node has room. */
  async function refuseMore(from: Spool): Promise<false> {
    if (ours.length > 0) await shippers.leave();
    ours = [];
    alarms.raise('spool_full', { bytes: from.bytes(), limitBytes });
    const sizes = await Promise.all(everyPartition.map((partition) => outbox.size(partition)));
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    if (bytes >= muchInRedis) alarms.raise('redis_filling', { bytes });
    return false;
  }

  /** Answers whether there is more to do at once. */
  async function round(): Promise<boolean> {
    const own = spool ?? (await open());
    await tell(own);
    await settle(own);
    full = own.bytes() >= limitBytes * (full ? calmShare : 1);
    if (full) return refuseMore(own);
    alarms.clear('spool_full');
    alarms.clear('redis_filling');
    await take();
    if (!(await due())) return false;
    await recover(own);
    readAtMs = clock.monotonicMs();
    // Where records keep coming there are always more: history must not wait until a batch is full.
    const endAtMs = readAtMs + longestGatherMs;
    const late = () => clock.monotonicMs() >= endAtMs;
    const rows = await keep(own, ours, outbox.read, () => stopping || late());
    return rows >= breaker.limit(batchRows) || (rows > 0 && late());
  }

  async function loop(): Promise<void> {
    while (!stopping) {
      try {
        const more = await round();
        breaker.succeeded();
        if (failing) log.info('the outbox is shipped again');
        failing = false;
        if (!more) await rest(everyMs);
      } catch (error) {
        if (!failing) log.warn({ reason: messageOf(error) }, 'the outbox cannot be shipped: trying again');
        failing = true;
        await rest(breaker.failed());
      }
    }
  }

  async function leave(): Promise<void> {
    try {
      await shippers.leave();
    } catch (error) {
      // Its leases end by themselves.
      log.info({ reason: messageOf(error) }, 'other shippers could not be told that this one stops');
    }
  }

  async function rest(ms: number): Promise<void> {
    if (stopping) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      interrupt = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  return {
    name: 'outbox',
    stopTimeoutMs: 10_000,
    spool: () => spool,
    trouble() {
      if (!store) return 'CLICKHOUSE_URL is empty: usage history waits on disk';
      const why = drain?.trouble() ?? null;
      return why && `ClickHouse does not take usage history, ${spool?.bytes()} bytes wait on disk: ${why}`;
    },
    async start() {
      if (!store) alarms.raise('no_clickhouse', { limitBytes });
      running ??= loop();
    },
    async stop() {
      stopping = true;
      interrupt();
      await running;
      await Promise.all([drain?.stop(), leave()]);
      spool?.close();
    },
  };
}

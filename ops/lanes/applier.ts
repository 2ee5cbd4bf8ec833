// Applies a WAL to the ledger: in order per lane, many calls at once, going back when the ledger is behind. Rules: ops/docs/ledger.md.
import { type Clock, systemClock } from '#ops/runtime/clock.ts';
import { messageOf } from '#ops/runtime/errors.ts';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import { createWalReader } from '../wal/reader.ts';
import type { Wal } from '../wal/wal.ts';
import { createBreaker } from './breaker.ts';
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { createLaneSender } from './lane-sender.ts';
import type { Lane, Sent } from './lanes.ts';
import type { LogMetrics } from './metrics.ts';
import type { LaneRecord, LaneWork } from './work.ts';

export type ApplierOptions<R extends LaneRecord> = {
  wal: Wal;
  work: LaneWork<R>;
  metrics: LogMetrics;
  log: Logger;
  /** Partitions in which enforcement has something to look at. */
  onEvents(partitions: ReadonlySet<number>): void;
  clock?: Clock;
  /** Calls in flight at most. */
  batch?: number;
  /** How often the ledger is asked whether it still has what it had: a failover to an older copy also concerns lanes at rest. */
  checkMs?: number;
};

export type Applier = Part & {
  /** Every record before this position is in the ledger. */
  passed(): number;
  /** Nothing durable is left to apply. */
  idle(): boolean;
};

const checkpointMs = 5000;
const notReadyMs = 100;
/** How often a lost ledger is looked at again. */
const lostCheckMs = 1000;
/** A pause shorter than this (at the start, at a failover) is nothing to tell. */
const tellAfterMs = 1000;
/** While catching up this share of the time is left to logins and enforcement. */
const restShare = 0.25;

export function createApplier<R extends LaneRecord>(options: ApplierOptions<R>): Applier {
  const { wal, work, metrics, log, clock = systemClock, batch = 256, checkMs = 30_000 } = options;
  const reader = createWalReader(wal);
  const breaker = createBreaker();
  const sender = createLaneSender({ ...options, walId: wal.id, clock, generation: () => generation, isLost });
  const { lanes } = sender;
  let generation = 0;
  /** What is sent next may have been applied before. */
  let again = true;
  /** Where reading goes on. Lanes behind it wait at their head. */
  let cursor = 0;
  /** Where the calls that are under way begin. */
  let underWay = Number.POSITIVE_INFINITY;
  let lostLanes = 0;
  let checked = false;
  let checkAtMs = 0;
  let checkpointAtMs = 0;
  let failing: { readonly sinceMs: number; readonly told: boolean } | undefined;
  let stopping = false;
  let running: Promise<void> | undefined;
  let listening = false;
  let interrupt = () => {};

  const passed = () =>
    checked && !lanes.some(({ lost }) => lost)
      ? Math.min(cursor, underWay, ...sender.waiting().map(({ head }) => head?.position ?? cursor))
      : 0;

  /** Nothing at all is left in the ledger of a lane whose first records are no longer in the log. */
  function isLost(applied: number, stored: number): boolean {
    return stored === 0 && applied > 0 && (wal.segments()[0]?.base ?? 0) > 0;
  }

  /** The next generation is on disk before it is used. */
  async function nextGeneration(): Promise<void> {
    generation = Math.max(generation + 1, clock.nowMs());
    await checkpoint();
    again = false;
  }

  /** Compares every lane with what the ledger has; where the ledger is behind, the lane goes back. */
  async function check(): Promise<void> {
    const stored = await work.lanePositions(wal.id);
    const behind = lanes.filter(({ partition, applied }) => {
      const position = stored[partition] ?? 0;
      return position < applied && !isLost(applied, position);
    });
    for (const lane of lanes) {
      const position = stored[lane.partition] ?? 0;
      const { head, lost: wasLost } = lane;
      lane.lost = isLost(lane.applied, position);
      if (lane.lost) {
        lane.head = undefined;
        continue;
      }
      if (position < lane.applied || wasLost) {
        // Also where nothing is lacking: the reader has passed over what follows while the lane was lost.
        cursor = Math.min(cursor, position);
        lane.head = undefined;
      } else if (head && head.position <= position) {
        // The call whose answer was lost ran, and some behind it: the reader has passed over what follows them.
        cursor = Math.min(cursor, head.position);
        lane.head = undefined;
      } else if (head) lane.head = { ...head, retryAtMs: 0 };
      lane.applied = position;
    }
    if (behind.length > 0) {
      work.forget();
      again = true;
      metrics.rewinds.inc({ reason: 'ledger_behind' }, behind.length);
      log.warn({ wal: wal.id, lanes: behind.length, from: cursor }, 'the ledger lacks what it had: applying again');
    }
    if (behind.length > 0 && cursor < (wal.segments()[0]?.base ?? 0)) {
      alarm('ledger_older_than_wal', { ledger: cursor }, 'the ledger is older than the oldest segment of the log');
    }
    tellLost();
    const furthest = Math.max(...stored);
    if (furthest > 0 && furthest >= wal.durable()) await moveBehind(furthest);
    checked = true;
    checkAtMs = clock.monotonicMs() + (lostLanes > 0 ? Math.min(checkMs, lostCheckMs) : checkMs);
  }

  /** Until an operator has brought the ledger back nothing of these lanes is applied, and nothing of the log is removed. */
  function tellLost(): void {
    const lost = lanes.filter((lane) => lane.lost).length;
    if (lost > 0 && lostLanes === 0) {
      const message = 'the ledger was lost and the log does not reach back far enough: run `npm run ledger:rebuild`';
      alarm('ledger_lost', { lanes: lost }, message);
    }
    if (lost === 0 && lostLanes > 0) log.info({ wal: wal.id }, 'the ledger was brought back');
    lostLanes = lost;
  }

  /** The ledger knows positions this log has not reached (a data folder from a backup): new records must not look like old ones. */
  async function moveBehind(furthest: number): Promise<void> {
    alarm('wal_behind_ledger', { end: wal.durable(), ledger: furthest }, 'the log is older than the ledger');
    const until = await wal.skipTo(furthest + 1);
    // What was received since the start lies where the ledger takes it for applied: it is appended once more.
    for (let from = wal.openedAt; from < until; ) {
      const { records, next } = await reader.read(from, batch);
      const again = records.filter(({ position }) => position < until);
      await Promise.all(again.map(({ payload }) => wal.append(payload)));
      if (next === from) return;
      from = next;
    }
  }

  /** @throws when the ledger answered nothing at all. */
  async function send(sent: readonly Sent<R>[]): Promise<void> {
    if (sent.length === 0) return;
    if (again) await nextGeneration();
    const result = await sender.send(sent);
    cursor = Math.min(cursor, result.rewindTo);
    again = result.again;
    if (result.recovered) checkAtMs = 0;
    if (result.away) throw result.away.error;
  }

  /** Applies the next records; answers how many there were. */
  async function advance(limit: number): Promise<number> {
    const batch = await reader.read(cursor, limit);
    if (batch.damagedBytes > 0) damaged('bytes', { damagedBytes: batch.damagedBytes, near: batch.next });
    const decoded = batch.records.flatMap(({ position, payload }) => {
      const result = work.decode(payload);
      if (!result.ok) damaged(result.reason, { position });
      return result.ok ? [{ position, record: result.record }] : [];
    });
    const forAll = decoded.findIndex(({ record }) => work.concernsAll(record));
    const taken = forAll < 0 ? decoded : decoded.slice(0, Math.max(1, forAll));
    const next = decoded[taken.length]?.position ?? batch.next;
    const sent: Sent<R>[] = [];
    const tails = new Map<Lane<R>, number>();
    const owned = await Promise.all(
      taken.map(async ({ position, record }) => ({ position, record: await work.resolve(record) })),
    );
    for (const { position, record } of owned) {
      const lane = lanes[record.partition];
      if (!lane || lane.lost || lane.head || position <= lane.applied) continue;
      sent.push({ record, position, previous: tails.get(lane) ?? lane.applied });
      tails.set(lane, position);
    }
    underWay = cursor;
    cursor = next;
    try {
      await send(sent);
    } finally {
      underWay = Number.POSITIVE_INFINITY;
    }
    return batch.records.length;
  }

  function damaged(kind: string, fields: object): void {
    metrics.damaged.inc({ kind });
    alarm('wal_damaged', { kind, ...fields }, 'a place of the log cannot be read: skipped');
  }

  function alarm(reason: string, fields: object, message: string): void {
    metrics.alarms.inc({ reason });
    log.error({ wal: wal.id, ...fields }, message);
  }

  async function checkpoint(): Promise<void> {
    checkpointAtMs = clock.monotonicMs() + checkpointMs;
    try {
      const applied = lanes.map((lane) => lane.applied);
      await writeCheckpoint(wal.folder, { cursor: passed(), applied, generation });
    } catch (error) {
      log.warn({ wal: wal.id, err: error }, 'how far the log was applied could not be remembered');
    }
  }

  /** One round; rests behind it. */
  async function round(): Promise<void> {
    if (!work.ready()) return rest(notReadyMs);
    const startMs = clock.monotonicMs();
    if (startMs >= checkAtMs) await check();
    if (stopping) return;
    await send(sender.due());
    if (stopping) return;
    const limit = breaker.limit(batch);
    const count = await advance(limit);
    recovered();
    const waiting = sender.waiting();
    metrics.paused.set({ wal: wal.id }, 0);
    metrics.backlog.set({ wal: wal.id }, Math.max(0, wal.durable() - passed()));
    metrics.stoppedLanes.set({ wal: wal.id }, waiting.length + lanes.filter(({ lost }) => lost).length);
    const nowMs = clock.monotonicMs();
    if (nowMs >= checkpointAtMs) await checkpoint();
    if (count >= limit) return rest((nowMs - startMs) * restShare);
    if (cursor >= wal.durable()) {
      const nextMs = Math.min(checkAtMs, ...waiting.map(({ head }) => head?.retryAtMs ?? checkAtMs));
      return rest(nextMs - nowMs, true);
    }
  }

  async function loop(): Promise<void> {
    const saved = await readCheckpoint(wal.folder);
    if (saved && saved.cursor <= wal.durable()) {
      cursor = saved.cursor;
      for (const lane of lanes) lane.applied = saved.applied[lane.partition] ?? 0;
    }
    generation = saved?.generation ?? 0;
    while (!stopping) {
      try {
        await round();
      } catch (error) {
        const pauseMs = Math.round(breaker.failed());
        metrics.paused.set({ wal: wal.id }, 1);
        checkAtMs = 0;
        tellFailing(error);
        await rest(pauseMs);
      }
    }
    if (checked) await checkpoint();
  }

  /** One line for an outage, however often it was tried. */
  function tellFailing(error: unknown): void {
    const { sinceMs, told } = failing ?? { sinceMs: clock.monotonicMs(), told: false };
    const tell = !told && clock.monotonicMs() - sinceMs >= tellAfterMs;
    failing = { sinceMs, told: told || tell };
    if (tell) log.warn({ wal: wal.id, reason: messageOf(error) }, 'applying pauses until the ledger answers');
  }

  function recovered(): void {
    breaker.succeeded();
    if (failing?.told) log.info({ wal: wal.id }, 'applying goes on');
    failing = undefined;
  }

  /** Until the time has passed or the applier is stopped; `listen`: or something more became durable. */
  async function rest(ms: number, listen = false): Promise<void> {
    if (stopping || ms <= 0 || (listen && cursor < wal.durable())) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      listening = listen;
      interrupt = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    listening = false;
  }

  let unsubscribe = () => {};
  return {
    name: `applier of ${wal.id}`,
    passed,
    idle: () => checked && passed() >= wal.durable(),
    async start() {
      unsubscribe = wal.onDurable(() => {
        if (listening) interrupt();
      });
      running ??= loop();
    },
    async stop() {
      stopping = true;
      unsubscribe();
      interrupt();
      await running;
      await reader.close();
    },
  };
}

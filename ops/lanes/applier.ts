// Applies a WAL to the ledger: in order per lane, many calls at once, going back when the ledger is behind. Rules: ops/docs/ledger.md.
import { type Clock, systemClock } from '#ops/runtime/clock.ts';
import { messageOf } from '#ops/runtime/errors.ts';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import { createWalReader } from '../wal/reader.ts';
import type { Wal } from '../wal/wal.ts';
import { createBreaker } from './breaker.ts';
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { createLaneCheck } from './lane-check.ts';
import { createLaneSender, type Flight } from './lane-sender.ts';
import { type Lane, type Sent, setBack } from './lanes.ts';
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
  /** Records that are read and sent at once, at most: of so many each partition has enough for a full call. */
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
/** A pause shorter than this (at the start, at a failover) is nothing to tell. */
const tellAfterMs = 1000;
/** While the ledger works on one the next is made. */
const mostFlights = 2;
/** A flight shall not take longer: what the ledger is asked meanwhile waits behind it, and far beyond it calls count as lost. */
const flightMs = 1000;
/** With fewer the calls would hold too little, and the ledger do more for each record. */
const smallestFlight = 256;

export function createApplier<R extends LaneRecord>(options: ApplierOptions<R>): Applier {
  const { wal, work, metrics, log, clock = systemClock, batch = 1024, checkMs = 30_000 } = options;
  const reader = createWalReader(wal);
  const breaker = createBreaker();
  const laneCheck = createLaneCheck<R>({
    ...{ wal, reader, work, metrics, log, clock, batch, alarm },
    everyMs: checkMs,
  });
  const { isLost } = laneCheck;
  const sender = createLaneSender({ ...options, walId: wal.id, clock, generation: () => generation, isLost });
  const { lanes } = sender;
  let generation = 0;
  /** What is sent next may have been applied before. */
  let again = true;
  /** Where reading goes on. Lanes behind it wait at their head. */
  let cursor = 0;
  /** What is under way, oldest first; each with the position where its records begin. */
  const flights: { readonly from: number; readonly startedMs: number; readonly flight: Flight<R> }[] = [];
  /** As many records as the ledger takes in time. */
  let pace = batch;
  let checkpointAtMs = 0;
  let failing: { readonly sinceMs: number; readonly told: boolean } | undefined;
  let stopping = false;
  let running: Promise<void> | undefined;
  let interrupt = () => {};

  const passed = () =>
    laneCheck.done() && !lanes.some(({ lost }) => lost)
      ? Math.min(
          ...[cursor, ...flights.map(({ from }) => from)],
          ...sender.waiting().map(({ head }) => head?.position ?? cursor),
        )
      : 0;

  /** The next generation is on disk before it is used. */
  async function nextGeneration(): Promise<void> {
    generation = Math.max(generation + 1, clock.nowMs());
    await checkpoint();
    again = false;
  }

  async function check(): Promise<void> {
    await land(0);
    const found = await laneCheck.check(lanes);
    cursor = Math.min(cursor, found.rewindTo);
    again ||= found.again;
  }

  /** `from`: nothing of it lies before this position. */
  function send(sent: readonly Sent<R>[], from: number): void {
    if (sent.length > 0) flights.push({ from, startedMs: clock.monotonicMs(), flight: sender.send(sent) });
  }

  /**
   * Settles what is under way until no more than `most` are left.
   * @throws when the ledger answered nothing at all of one.
   */
  async function land(most: number): Promise<void> {
    for (let [first] = flights; first && flights.length > most; [first] = flights) {
      try {
        const result = await sender.land(first.flight);
        const tookMs = clock.monotonicMs() - first.startedMs;
        if (tookMs > flightMs) pace = Math.max(Math.min(batch, smallestFlight), pace >> 1);
        else if (tookMs < flightMs / 4) pace = Math.min(batch, pace * 2);
        cursor = Math.min(cursor, result.rewindTo);
        again ||= result.again;
        if (result.recovered) laneCheck.wanted();
        if (result.away) throw result.away.error;
      } finally {
        flights.shift();
      }
    }
  }

  /** Tries again what lanes wait at. */
  async function sendDue(): Promise<void> {
    if (sender.due().length === 0) return;
    await land(0);
    if (again) await nextGeneration();
    send(sender.due(), cursor);
    await land(0);
  }

  /** Sends the next records. */
  async function advance(limit: number): Promise<void> {
    const batch = await reader.read(cursor, limit);
    if (batch.damagedBytes > 0) damaged('bytes', { damagedBytes: batch.damagedBytes, near: batch.next });
    const decoded = batch.records.flatMap(({ position, payload }) => {
      const result = work.decode(payload);
      if (!result.ok) damaged(result.reason, { position });
      return result.ok ? [{ position, record: result.record }] : [];
    });
    // One that concerns all lanes comes behind everything before it, and before everything that follows.
    const forAll = decoded.findIndex(({ record }) => work.concernsAll(record));
    if (forAll === 0 && flights.length > 0) return land(0);
    const taken = forAll < 0 ? decoded : decoded.slice(0, Math.max(1, forAll));
    const owned = await Promise.all(
      taken.map(async ({ position, record }) => ({ position, record: await work.resolve(record) })),
    );
    if (again) await nextGeneration();
    // From here to the end of `send` nothing is awaited: what was read is under way when the cursor has passed it.
    const sent: Sent<R>[] = [];
    const tails = new Map<Lane<R>, number>();
    for (const { position, record } of owned) {
      const lane = lanes[record.partition];
      if (!lane || lane.lost || lane.head || position <= lane.sent) continue;
      sent.push({ record, position, previous: tails.get(lane) ?? lane.sent });
      tails.set(lane, position);
    }
    send(sent, cursor);
    cursor = decoded[taken.length]?.position ?? batch.next;
    await land(forAll < 0 ? mostFlights - 1 : 0);
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
    if (clock.monotonicMs() >= laneCheck.dueAtMs()) await check();
    if (stopping) return;
    await sendDue();
    if (stopping) return;
    const limit = breaker.limit(batch);
    await advance(Math.min(limit, pace));
    // After a failure one at a time.
    if (cursor >= wal.durable() || limit < batch) await land(0);
    recovered();
    const waiting = sender.waiting();
    metrics.paused.set({ wal: wal.id }, 0);
    metrics.backlog.set({ wal: wal.id }, Math.max(0, wal.durable() - passed()));
    metrics.stoppedLanes.set({ wal: wal.id }, waiting.length + lanes.filter(({ lost }) => lost).length);
    const nowMs = clock.monotonicMs();
    if (nowMs >= checkpointAtMs) await checkpoint();
    if (cursor >= wal.durable()) {
      const dueAtMs = laneCheck.dueAtMs();
      const nextMs = Math.min(dueAtMs, ...waiting.map(({ head }) => head?.retryAtMs ?? dueAtMs));
      return rest(nextMs - nowMs, true);
    }
  }

  async function loop(): Promise<void> {
    const saved = await readCheckpoint(wal.folder);
    if (saved && saved.cursor <= wal.durable()) {
      cursor = saved.cursor;
      for (const lane of lanes) setBack(lane, saved.applied[lane.partition] ?? 0);
    }
    generation = saved?.generation ?? 0;
    while (!stopping) {
      try {
        await round();
      } catch (error) {
        const pauseMs = Math.round(breaker.failed());
        metrics.paused.set({ wal: wal.id }, 1);
        laneCheck.wanted();
        tellFailing(error);
        await landFailing();
        await rest(pauseMs);
      }
    }
    await landFailing();
    if (laneCheck.done()) await checkpoint();
  }

  /** The rest of what is under way, whatever becomes of it. */
  async function landFailing(): Promise<void> {
    while (flights.length > 0) {
      try {
        await land(0);
      } catch (error) {
        tellFailing(error);
      }
    }
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
    if (ms <= 0) return;
    await new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer);
        unsubscribe();
        resolve();
      };
      const timer = setTimeout(end, ms);
      const unsubscribe = listen ? wal.onDurable(end) : () => {};
      interrupt = end;
      // Also what became durable before anybody listened.
      if (stopping || (listen && cursor < wal.durable())) end();
    });
  }

  return {
    name: `applier of ${wal.id}`,
    passed,
    idle: () => laneCheck.done() && passed() >= wal.durable(),
    async start() {
      running ??= loop();
    },
    async stop() {
      stopping = true;
      interrupt();
      await running;
      await reader.close();
    },
  };
}

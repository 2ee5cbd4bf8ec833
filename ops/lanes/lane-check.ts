// Compares the lanes of a WAL with what the ledger has of them: a ledger that went back in time, was lost, or knows more than the log.
import type { Clock } from '#ops/runtime/clock.ts';
import type { Logger } from '#ops/runtime/log.ts';
import type { WalReader } from '../wal/reader.ts';
import type { Wal } from '../wal/wal.ts';
import { type Lane, setBack } from './lanes.ts';
import type { LogMetrics } from './metrics.ts';
import type { LaneRecord, LaneWork } from './work.ts';

export type LaneCheckOptions<R extends LaneRecord> = {
  wal: Pick<Wal, 'id' | 'segments' | 'durable' | 'openedAt' | 'skipTo' | 'append'>;
  reader: Pick<WalReader, 'read'>;
  work: Pick<LaneWork<R>, 'lanePositions' | 'forget'>;
  metrics: Pick<LogMetrics, 'rewinds'>;
  log: Logger;
  clock: Clock;
  /** How often. */
  everyMs: number;
  /** Records that are read at once. */
  batch: number;
  alarm(reason: string, fields: object, message: string): void;
};

export type LaneCheck<R extends LaneRecord> = {
  /** Whether it has ever been done. */
  done(): boolean;
  dueAtMs(): number;
  /** It is due at once. */
  wanted(): void;
  /** Nothing at all is left in the ledger of a lane whose first records are no longer in the log. */
  isLost(applied: number, stored: number): boolean;
  /** While nothing is on its way. Answers from where lanes must be read again, and whether the ledger lacks what it had. */
  check(lanes: readonly Lane<R>[]): Promise<{ readonly rewindTo: number; readonly again: boolean }>;
};

/** How often a lost ledger is looked at again. */
const lostCheckMs = 1000;

export function createLaneCheck<R extends LaneRecord>(options: LaneCheckOptions<R>): LaneCheck<R> {
  const { wal, reader, work, metrics, log, clock, everyMs, batch, alarm } = options;
  let done = false;
  let dueAtMs = 0;
  let lostLanes = 0;

  function isLost(applied: number, stored: number): boolean {
    return stored === 0 && applied > 0 && (wal.segments()[0]?.base ?? 0) > 0;
  }

  /** Answers from where the lane must be read again. */
  function compare(lane: Lane<R>, position: number): number {
    const { head, applied, lost: wasLost } = lane;
    lane.lost = isLost(applied, position);
    if (lane.lost) {
      lane.head = undefined;
      return Number.POSITIVE_INFINITY;
    }
    setBack(lane, position);
    // Also where nothing is lacking: the reader has passed over what follows while the lane was lost.
    if (position < applied || wasLost) lane.head = undefined;
    // The call whose answer was lost ran, and some behind it: the reader has passed over what follows them.
    else if (head && head.position <= position) lane.head = undefined;
    else if (head) lane.head = { ...head, retryAtMs: 0 };
    if (position < applied || wasLost) return position;
    return head && head.position <= position ? head.position : Number.POSITIVE_INFINITY;
  }

  /** Until an operator has brought the ledger back nothing of these lanes is applied, and nothing of the log is removed. */
  function tellLost(lost: number): void {
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

  return {
    done: () => done,
    dueAtMs: () => dueAtMs,
    wanted() {
      dueAtMs = 0;
    },
    isLost,
    async check(lanes) {
      const stored = await work.lanePositions(wal.id);
      const positionOf = ({ partition }: Lane<R>) => stored[partition] ?? 0;
      const behind = lanes.filter((lane) => {
        const position = positionOf(lane);
        return position < lane.applied && !isLost(lane.applied, position);
      });
      const rewindTo = Math.min(...lanes.map((lane) => compare(lane, positionOf(lane))));
      if (behind.length > 0) {
        work.forget();
        metrics.rewinds.inc({ reason: 'ledger_behind' }, behind.length);
        log.warn({ wal: wal.id, lanes: behind.length, from: rewindTo }, 'the ledger lacks what it had: applying again');
        if (rewindTo < (wal.segments()[0]?.base ?? 0)) {
          const message = 'the ledger is older than the oldest segment of the log';
          alarm('ledger_older_than_wal', { ledger: rewindTo }, message);
        }
      }
      tellLost(lanes.filter(({ lost }) => lost).length);
      const furthest = Math.max(...stored);
      if (furthest > 0 && furthest >= wal.durable()) await moveBehind(furthest);
      done = true;
      dueAtMs = clock.monotonicMs() + (lostLanes > 0 ? Math.min(everyMs, lostCheckMs) : everyMs);
      return { rewindTo, again: behind.length > 0 };
    },
  };
}

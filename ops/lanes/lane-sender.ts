// Sends the calls of many lanes at once and settles each lane by its answers.
import type { Clock } from '#ops/runtime/clock.ts';
import type { Logger } from '#ops/runtime/log.ts';
import { type ApplyResult, partitionCount } from '#policy/ledger/types.ts';
import { errorLabel, isAway } from './away.ts';
import { type Answer, type Lane, type Sent, setBack, settle } from './lanes.ts';
import type { LogMetrics } from './metrics.ts';
import type { LaneRecord, LaneWork } from './work.ts';

export type LaneSenderOptions<R extends LaneRecord> = {
  walId: string;
  work: Pick<LaneWork<R>, 'apply' | 'isEvent'>;
  metrics: LogMetrics;
  log: Logger;
  onEvents(partitions: ReadonlySet<number>): void;
  clock: Clock;
  /** Of {@link LanePosition}. */
  generation(): number;
  /** Whether a lane that was applied up to `applied`, and of which the ledger has `stored`, is lost. */
  isLost(applied: number, stored: number): boolean;
};

/** Records on their way to the ledger. */
export type Flight<R> = {
  readonly sent: readonly Sent<R>[];
  /** Of each lane in it: at which turn it was. */
  readonly turns: ReadonlyMap<Lane<R>, number>;
  readonly answers: Promise<readonly Answer[]>;
};

export type SendResult = {
  /** Read again from here: a lane was set back, or goes on behind the record it waited at. */
  readonly rewindTo: number;
  /** Something may be applied again: a lane was set back, or a call was not answered. */
  readonly again: boolean;
  /** The error, when the ledger answered not one call. */
  readonly away: { readonly error: unknown } | undefined;
  /** A lane goes on that had waited for an answer. */
  readonly recovered: boolean;
};

export type LaneSender<R extends LaneRecord> = {
  readonly lanes: readonly Lane<R>[];
  waiting(): Lane<R>[];
  /** The records that lanes wait at and that are due for another attempt. */
  due(): Sent<R>[];
  /** `sent` is in WAL order, behind everything that its lanes have sent; nothing of it waits for anything before it. */
  send(sent: readonly Sent<R>[]): Flight<R>;
  /** Settles the lanes by the answers. Flights land in the order in which they were sent. */
  land(flight: Flight<R>): Promise<SendResult>;
};

const retryMs = 100;
const longestRetryMs = 2000;
const alarmAttempts = 5;

export function createLaneSender<R extends LaneRecord>(options: LaneSenderOptions<R>): LaneSender<R> {
  const { walId, work, metrics, log, onEvents, clock, generation, isLost } = options;
  const lanes: Lane<R>[] = Array.from({ length: partitionCount }, (_, partition) => ({
    partition,
    applied: 0,
    sent: 0,
    turn: 0,
    head: undefined,
    lost: false,
  }));

  /** Partitions with crossings that enforcement was not told of yet. */
  let crossings = new Set<number>();

  /** Before the rest of the flight has landed: the subscriber stays fast meanwhile. */
  function tellCrossing(partition: number): void {
    if (crossings.size === 0)
      setImmediate(() => {
        onEvents(crossings);
        crossings = new Set();
      });
    crossings.add(partition);
  }

  async function answerOf({ record, previous, position, sinceMs }: Sent<R>): Promise<Answer> {
    try {
      const answer = await work.apply({ walId, previous, position, generation: generation() }, record, sinceMs);
      if (answer.kind === 'applied' && answer.crossed) tellCrossing(record.partition);
      return answer;
    } catch (error) {
      return { kind: 'failed', error };
    }
  }

  /** All answers of a flight at once. */
  function count(answers: readonly Answer[]): void {
    const results = new Map<ApplyResult['kind'], number>();
    for (const answer of answers) {
      if (answer.kind === 'failed') {
        metrics.failures.inc({ error: errorLabel(answer.error) });
        continue;
      }
      if (answer.kind === 'applied') for (const flag of answer.flags) metrics.flags.inc({ flag });
      results.set(answer.kind, (results.get(answer.kind) ?? 0) + 1);
    }
    for (const [result, records] of results) metrics.results.inc({ result }, records);
  }

  /** Moves the lane on; answers from where it must be read again, or undefined. */
  function settleLane(lane: Lane<R>, sent: readonly Sent<R>[], answers: readonly Answer[]): number | undefined {
    const { applied, rewind, waits } = settle(sent, answers);
    const before = lane.head;
    lane.head = undefined;
    if (rewind && isLost(lane.applied, applied)) {
      lane.lost = true;
      setBack(lane, lane.applied);
      return undefined;
    }
    if (rewind) {
      setBack(lane, applied);
      metrics.rewinds.inc({ reason: 'gap' });
      return applied;
    }
    if (waits) setBack(lane, applied);
    else lane.applied = applied;
    // The reader has passed over this lane's later records while it waited.
    if (!waits) return before?.position;
    const { at, error } = waits;
    const earlier = before?.position === at.position ? before.attempts : 0;
    const attempts = error === undefined ? 0 : earlier + 1;
    const sinceMs = waits.sinceMs ?? at.sinceMs;
    lane.head = {
      position: at.position,
      record: at.record,
      ...(sinceMs === undefined ? {} : { sinceMs }),
      attempts,
      retryAtMs: clock.monotonicMs() + (attempts === 0 ? 0 : Math.min(longestRetryMs, retryMs * 2 ** (attempts - 1))),
    };
    if (attempts === alarmAttempts && !isAway(error)) {
      metrics.alarms.inc({ reason: 'lane_stopped' });
      const fields = { wal: walId, partition: lane.partition, position: at.position, err: error };
      log.error(fields, 'a lane waits at a record the ledger does not take');
    }
    return undefined;
  }

  const tellsEnforcement = (record: R, answer: Answer | undefined) =>
    answer !== undefined && answer.kind !== 'failed' && work.isEvent(record, answer);

  return {
    lanes,
    waiting: () => lanes.filter(({ head }) => head !== undefined),
    due() {
      const nowMs = clock.monotonicMs();
      return lanes.flatMap(({ head, applied }) => {
        if (!head || head.retryAtMs > nowMs) return [];
        const { record, position, sinceMs } = head;
        return [{ record, position, previous: applied, ...(sinceMs === undefined ? {} : { sinceMs }) }];
      });
    },
    send(sent) {
      const turns = new Map<Lane<R>, number>();
      for (const { record, position } of sent) {
        const lane = lanes[record.partition];
        if (!lane) continue;
        lane.sent = position;
        turns.set(lane, lane.turn);
      }
      return { sent, turns, answers: Promise.all(sent.map(answerOf)) };
    },
    async land({ sent, turns, answers: awaited }) {
      const answers = await awaited;
      count(answers);
      const perLane = Map.groupBy(sent.keys(), (index) => sent[index]?.record.partition ?? 0);
      const events = new Set<number>();
      let rewindTo = Number.POSITIVE_INFINITY;
      let recovered = false;
      for (const [partition, indexes] of perLane) {
        const lane = lanes[partition];
        if (!lane) continue;
        const own = indexes.flatMap((index) => answers[index] ?? []);
        const calls = indexes.flatMap((index) => sent[index] ?? []);
        if (calls.some(({ record }, index) => tellsEnforcement(record, own[index]))) events.add(partition);
        // It was set back by what was sent before: these are sent again, and what ran is a duplicate then.
        if (turns.get(lane) !== lane.turn) continue;
        const waited = (lane.head?.attempts ?? 0) > 0;
        rewindTo = Math.min(rewindTo, settleLane(lane, calls, own) ?? Number.POSITIVE_INFINITY);
        recovered ||= waited && lane.head === undefined;
      }
      if (events.size > 0) onEvents(events);
      const errors = answers.flatMap((answer) => (answer.kind === 'failed' && isAway(answer.error) ? [answer] : []));
      const again = answers.some(({ kind }) => kind === 'failed' || kind === 'gap');
      const away = sent.length > 0 && errors.length === sent.length ? errors[0] : undefined;
      return { rewindTo, again, away, recovered };
    },
  };
}

// The accounting that waits for one destination (the home servers of a realm, or those of a copy): a write-ahead log and what empties it.
import type { Part } from '#ops/runtime/lifecycle.ts';
import { openWal } from '#ops/wal/wal.ts';
import { deliver, type Pauses, type Target, usualPauses } from './deliver.ts';
import { createForwarder } from './forwarder.ts';
import type { ProxyMetrics } from './metrics.ts';
import { createPlaces } from './places.ts';

/** How long and how much waits for a server that is away; what is beyond is lost, and counted. */
export type Keeping = { readonly keepMs: number; readonly bytes: number };

export type AccountingLogOptions = {
  readonly folder: string;
  readonly keeping: Keeping;
  readonly mark: Buffer;
  target(): Target | undefined;
  readonly metrics: ReturnType<ProxyMetrics['ofDestination']>;
  nowMs(): number;
  problem(error: unknown): void;
  /** A record was given up that its servers do not answer, while they take others. */
  refused(): void;
  readonly pauses?: Pauses;
};

export type AccountingLog = Part & {
  /** Resolves when the record (encodeWaiting) is on disk. Rejects when it was not kept: the access server repeats it. */
  append(record: Buffer): Promise<void>;
  backlogBytes(): number;
  /** Age of the oldest record that waits, 0 when none does. */
  lagMs(): number;
};

/** Fewer than fit the buffer of a socket that nobody has enlarged: a server that was away does not lose them to their number. */
const mostSent = 128;
const lookEveryMs = 500;
const longestLookMs = 10_000;

/** @throws {WalInUse} while another thread or process has it open. */
export async function openAccountingLog(options: AccountingLogOptions): Promise<AccountingLog> {
  const { folder, keeping, mark, target, metrics, nowMs, problem, refused, pauses = usualPauses } = options;
  const wal = await openWal({ folder, segmentBytes: 16 * 1024 * 1024, retentionMs: 0 });
  let stopping = false;
  const sleeping = new Set<() => void>();

  function pause(ms: number): Promise<void> {
    if (stopping) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        sleeping.delete(end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      sleeping.add(end);
    });
  }
  const backlogBytes = () =>
    forwarder.idle() ? 0 : Math.max(0, wal.durable() - Math.max(forwarder.position(), wal.segments()[0]?.base ?? 0));
  const isStopping = () => stopping;
  let looking: Promise<void> | undefined;

  async function look(): Promise<void> {
    const isNobody = () => (target()?.homes ?? []).every((home) => home.state() === 'dead');
    for (let waitedMs = 0; waitedMs < longestLookMs && !stopping && isNobody(); waitedMs += lookEveryMs) {
      await pause(lookEveryMs);
    }
  }
  /** All records look together. */
  function somebody(): Promise<void> {
    looking ??= pause(lookEveryMs)
      .then(look)
      .finally(() => {
        looking = undefined;
      });
    return looking;
  }

  const of = {
    ...{ target, mark, nowMs, pauses, pause, somebody, stopping: isStopping },
    places: { first: createPlaces(mostSent), again: createPlaces(mostSent) },
    firstTries: { taken: 0, left: 0 },
  };
  const forwarder = createForwarder({
    ...{ wal, problem, pause, stopping: isStopping },
    metrics: {
      forwarded: metrics.forwarded,
      lost(reason, count) {
        metrics.lost(reason, count);
        if (reason === 'refused') refused();
      },
    },
    deliver: (record, position, unanswered) =>
      deliver(
        {
          ...of,
          unanswered,
          lostBecause({ receivedAtMs }) {
            if (nowMs() - receivedAtMs > keeping.keepMs) return 'expired';
            return wal.durable() - position > keeping.bytes ? 'overflow' : null;
          },
        },
        record,
      ),
  });

  return {
    name: `accounting for ${wal.id}`,
    append: wal.append,
    backlogBytes,
    lagMs() {
      const oldest = forwarder.oldestMs();
      return oldest === null ? 0 : Math.max(0, nowMs() - oldest);
    },
    start: forwarder.start,
    async stop() {
      stopping = true;
      for (const end of [...sleeping]) end();
      await forwarder.stop();
      await wal.close();
    },
  };
}

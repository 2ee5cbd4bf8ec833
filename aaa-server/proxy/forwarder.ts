// Follows a log of accounting records from its own stored position and has them delivered; the position is that of the first which is not.
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Part } from '#ops/runtime/lifecycle.ts';
import { createWalReader } from '#ops/wal/reader.ts';
import type { Wal } from '#ops/wal/wal.ts';
import { decodeWaiting } from './accounting-record.ts';
import type { Delivered } from './deliver.ts';
import type { LossReason } from './metrics.ts';
import { createUnderWay, type UnderWayOptions } from './under-way.ts';

export type ForwarderOptions = {
  readonly wal: Pick<Wal, 'folder' | 'segments' | 'durable' | 'onDurable' | 'prune'>;
  readonly deliver: UnderWayOptions['deliver'];
  readonly metrics: { forwarded(): void; lost(reason: LossReason, count?: number): void };
  /** Reading, writing or delivering failed; it goes on after a pause. */
  problem(error: unknown): void;
  pause(ms: number): Promise<void>;
  stopping(): boolean;
};

export type Forwarder = Part & {
  /** Everything before it is delivered or lost. */
  position(): number;
  /** Nothing waits. */
  idle(): boolean;
  /** When the oldest record that waits was received; null: none waits. */
  oldestMs(): number | null;
};

/** What was delivered since the position was stored is sent again after a kill. */
const storeEveryMs = 250;
const pruneEveryMs = 60_000;
const retryMs = 1000;

export function createForwarder(options: ForwarderOptions): Forwarder {
  const { wal, metrics, problem, pause, stopping } = options;
  const reader = createWalReader(wal);
  const file = path.join(wal.folder, 'forwarded.json');
  let readTo = 0;
  let storedPosition = -1;
  let storing: Promise<void> | undefined;
  let running: Promise<void> | undefined;
  let prunedAt = Number.NEGATIVE_INFINITY;
  let caughtUp = false;
  let wake = () => {};

  const underWay = createUnderWay({
    deliver,
    onEnd(outcome) {
      if (outcome === 'forwarded') metrics.forwarded();
      else metrics.lost(outcome);
      storeSoon();
    },
    onChange: () => wake(),
  });
  const position = () => underWay.oldest()?.position ?? readTo;

  async function deliver(...of: Parameters<ForwarderOptions['deliver']>): Promise<Delivered> {
    while (!stopping()) {
      try {
        return await options.deliver(...of);
      } catch (error) {
        problem(error);
        await pause(retryMs);
      }
    }
    return 'stopped';
  }

  async function stored(): Promise<number> {
    try {
      const value: unknown = JSON.parse(await readFile(file, 'utf8'));
      const at = typeof value === 'object' && value !== null && 'position' in value ? Number(value.position) : 0;
      // A log that ends before it is another one: then everything is sent, twice rather than not at all.
      return Number.isSafeInteger(at) && at >= 0 && at <= wal.durable() ? at : 0;
    } catch {
      // Missing or half written: sent again from the beginning of the log.
      return 0;
    }
  }

  async function store(): Promise<void> {
    const now = position();
    if (now === storedPosition) return;
    await writeFile(`${file}.new`, JSON.stringify({ position: now }), { mode: 0o600 });
    await rename(`${file}.new`, file);
    storedPosition = now;
    if (performance.now() - prunedAt < pruneEveryMs) return;
    prunedAt = performance.now();
    await wal.prune(now);
  }

  function storeSoon(): void {
    storing ??= pause(storeEveryMs)
      .then(store)
      .catch(problem)
      .finally(() => {
        storing = undefined;
        if (!stopping() && position() !== storedPosition) storeSoon();
      });
  }

  async function step(): Promise<void> {
    const limit = underWay.room();
    if (limit === 0) return change();
    const durable = wal.durable();
    const { records, next, damagedBytes } = await reader.read(readTo, limit);
    if (damagedBytes > 0) metrics.lost('damaged');
    const moved = next !== readTo;
    readTo = next;
    for (const { position, payload } of records) {
      const record = decodeWaiting(payload);
      if (record) underWay.add(position, record);
      else metrics.lost('damaged');
    }
    if (moved) storeSoon();
    if (moved || wal.durable() !== durable || stopping()) return;
    caughtUp = true;
    await change();
  }

  /** Something new is in the log, or there may be room for it. */
  function change(): Promise<void> {
    return new Promise((resolve) => {
      wake = resolve;
    });
  }

  async function run(): Promise<void> {
    readTo = await stored();
    storedPosition = readTo;
    while (!stopping()) {
      try {
        await step();
      } catch (error) {
        problem(error);
        await pause(retryMs);
      }
    }
    await underWay.settled();
    await storing;
    await store().catch(problem);
  }

  return {
    name: 'forwarder of accounting',
    position,
    idle: () => caughtUp && underWay.oldest() === undefined,
    oldestMs: () => underWay.oldest()?.receivedAtMs ?? null,
    async start() {
      wal.onDurable(() => {
        caughtUp = false;
        wake();
      });
      running ??= run();
    },
    async stop() {
      wake();
      await running;
      await reader.close();
    },
  };
}

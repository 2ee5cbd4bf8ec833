// Follows a log of accounting records and has them delivered; which of them wait is stored beside it.
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

/** Positions in the log: everything before `position` is delivered or lost, from there to `readTo` all but those that wait. */
type Stored = { readonly position: number; readonly readTo: number; readonly waiting: readonly number[] };

/** What was delivered since this was stored is sent again after a kill. */
const storeEveryMs = 250;
const pruneEveryMs = 60_000;
const retryMs = 1000;

export function createForwarder(options: ForwarderOptions): Forwarder {
  const { wal, metrics, problem, pause, stopping } = options;
  const reader = createWalReader(wal);
  const file = path.join(wal.folder, 'forwarded.json');
  let readTo = 0;
  /** How far the process before this one had read, and what of that was not delivered. */
  let before = { readTo: 0, waiting: new Set<number>() };
  let changed = false;
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
      changed = true;
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

  async function stored(): Promise<Stored> {
    const nothing = { position: 0, readTo: 0, waiting: [] };
    try {
      const value: unknown = JSON.parse(await readFile(file, 'utf8'));
      // A log that ends before it is another one: then everything is sent, twice rather than not at all.
      return isStored(value) && value.readTo <= wal.durable() ? value : nothing;
    } catch {
      // Missing or half written: sent again from the beginning of the log.
      return nothing;
    }
  }

  async function store(): Promise<void> {
    if (!changed) return;
    changed = false;
    const now: Stored = { position: position(), readTo, waiting: underWay.positions() };
    try {
      await writeFile(`${file}.new`, JSON.stringify(now), { mode: 0o600 });
      await rename(`${file}.new`, file);
    } catch (error) {
      changed = true;
      throw error;
    }
    if (performance.now() - prunedAt < pruneEveryMs) return;
    prunedAt = performance.now();
    await wal.prune(now.position);
  }

  function storeSoon(): void {
    storing ??= pause(storeEveryMs)
      .then(store)
      .catch(problem)
      .finally(() => {
        storing = undefined;
        if (!stopping() && changed) storeSoon();
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
      // Delivered before the restart, while one in front of it was not.
      if (position < before.readTo && !before.waiting.has(position)) continue;
      const record = decodeWaiting(payload);
      if (record) underWay.add(position, record);
      else metrics.lost('damaged');
    }
    if (moved) {
      changed = true;
      storeSoon();
    }
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
    const { position: from, readTo: until, waiting } = await stored();
    readTo = from;
    before = { readTo: until, waiting: new Set(waiting) };
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

function isStored(value: unknown): value is Stored {
  const isPosition = (at: unknown) => Number.isSafeInteger(at) && (at as number) >= 0;
  if (typeof value !== 'object' || value === null) return false;
  if (!('position' in value && 'readTo' in value && 'waiting' in value)) return false;
  return (
    isPosition(value.position) &&
    isPosition(value.readTo) &&
    Array.isArray(value.waiting) &&
    value.waiting.every(isPosition)
  );
}

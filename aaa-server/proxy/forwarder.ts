// Follows a log of accounting records from its own stored position and delivers them: those of one session in order, sessions beside each other.
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Part } from '#ops/runtime/lifecycle.ts';
import { mapLimited } from '#ops/runtime/map-limited.ts';
import { createWalReader, type StoredRecord } from '#ops/wal/reader.ts';
import type { Wal } from '#ops/wal/wal.ts';
import { concernsAll, decodeWaiting, sessionOf, type WaitingRecord } from './accounting-record.ts';
import type { Delivered } from './deliver.ts';
import type { LossReason } from './metrics.ts';

export type ForwarderOptions = {
  readonly wal: Pick<Wal, 'folder' | 'segments' | 'durable' | 'onDurable' | 'prune'>;
  deliver(record: WaitingRecord): Promise<Delivered>;
  readonly metrics: { forwarded(): void; lost(reason: LossReason, count?: number): void };
  /** Reading or writing failed; it goes on after a pause. */
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

const batchSize = 256;
const atATime = 64;
const pruneEveryMs = 60_000;
const retryMs = 1000;

export function createForwarder(options: ForwarderOptions): Forwarder {
  const { wal, deliver, metrics, problem, pause, stopping } = options;
  const reader = createWalReader(wal);
  const file = path.join(wal.folder, 'forwarded.json');
  let position = 0;
  let oldest: number | null = null;
  let running: Promise<void> | undefined;
  let prunedAt = Number.NEGATIVE_INFINITY;
  let idle = false;
  let wake = () => {};

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
    await writeFile(`${file}.new`, JSON.stringify({ position }), { mode: 0o600 });
    await rename(`${file}.new`, file);
  }

  /** Whether all of them are delivered or lost. */
  async function deliverAll(records: readonly WaitingRecord[]): Promise<boolean> {
    const sessions = [...Map.groupBy(records, sessionOf).values()];
    const done = await mapLimited(sessions, atATime, async (ofSession) => {
      for (const record of ofSession) {
        const outcome = await deliver(record);
        if (outcome === 'stopped') return false;
        if (outcome === 'forwarded') metrics.forwarded();
        else metrics.lost(outcome);
      }
      return true;
    });
    return done.every(Boolean);
  }

  async function deliverBatch(batch: readonly StoredRecord[]): Promise<boolean> {
    const records: WaitingRecord[] = [];
    for (const { payload } of batch) {
      const record = decodeWaiting(payload);
      if (record) records.push(record);
      else metrics.lost('damaged');
    }
    for (let from = 0; from < records.length; ) {
      let to = from;
      while (to < records.length && !concernsAll(records[to] as WaitingRecord)) to++;
      if (to === from) to++;
      const part = records.slice(from, to);
      oldest = part[0]?.receivedAtMs ?? null;
      if (!(await deliverAll(part))) return false;
      from = to;
    }
    return true;
  }

  async function step(): Promise<void> {
    const durable = wal.durable();
    const { records, next, damagedBytes } = await reader.read(position, batchSize);
    if (damagedBytes > 0) metrics.lost('damaged');
    if (!(await deliverBatch(records))) return;
    const moved = next !== position;
    if (moved) {
      position = next;
      await store();
    }
    if (performance.now() - prunedAt > pruneEveryMs) {
      prunedAt = performance.now();
      await wal.prune(position);
    }
    if (records.length > 0 || moved || wal.durable() !== durable || stopping()) return;
    idle = true;
    oldest = null;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }

  async function run(): Promise<void> {
    position = await stored();
    while (!stopping()) {
      try {
        await step();
      } catch (error) {
        problem(error);
        await pause(retryMs);
      }
    }
  }

  return {
    name: 'forwarder of accounting',
    position: () => position,
    idle: () => idle,
    oldestMs: () => oldest,
    async start() {
      wal.onDurable(() => {
        idle = false;
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

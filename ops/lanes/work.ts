// What a process tells its lanes: how its records are read, whose partition they belong to, and which call of the ledger applies them.
import type { ApplyResult, LanePosition } from '#policy/ledger/types.ts';

/** A record of the log, when it is applied. */
export type LaneRecord = { readonly partition: number };

export type Decoded<R> = { readonly ok: true; readonly record: R } | { readonly ok: false; readonly reason: string };

export type LaneWork<R extends LaneRecord> = {
  /** Nothing is applied before this is true. */
  ready(): boolean;
  decode(payload: Buffer): Decoded<R>;
  /** The record concerns every lane: what came before it is applied before it, what follows after it. */
  concernsAll(record: R): boolean;
  /** The record with the partition it has now. */
  resolve(record: R): R | Promise<R>;
  /** The ledger may have gone back in time: nothing remembered of it holds. */
  forget(): void;
  /** One call. A rejected promise means: unknown whether it ran. `sinceMs`: with every window since then, as the ledger asked. */
  apply(lane: LanePosition, record: R, sinceMs: number | undefined): Promise<ApplyResult>;
  /** Stored position of the WAL in every partition, 0 where nothing of it was applied. */
  lanePositions(walId: string): Promise<readonly number[]>;
  /** Enforcement has something to look at in the record's partition. */
  isEvent(record: R, answer: ApplyResult): boolean;
};

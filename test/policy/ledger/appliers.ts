// A WAL and its applier as small as they can be: every lane in order, back to what is stored after a gap.
import type { Ledger } from '#policy/ledger/ledger.ts';
import type { AccountingRecord, ApplyResult, FlowUsageRecord } from '#policy/ledger/types.ts';
import { usageWindows } from '#policy/time.ts';
import { callOf, type Facts, zone } from './ledger-under-test.ts';

export type TestWal = ReturnType<typeof createWal>;

/** A record's position is its index + 1. */
export function createWal(walId: string, records: readonly (AccountingRecord | FlowUsageRecord)[]) {
  const lanes = new Map<number, number[]>();
  for (const [index, { partition }] of records.entries()) {
    lanes.set(partition, [...(lanes.get(partition) ?? []), index + 1]);
  }
  /** Positions applied as far as the applier knows. */
  const applied = new Map<number, number>();
  let rewinds = 0;

  async function applyOne(ledger: Ledger, partition: number, position: number, facts: Facts): Promise<void> {
    const record = records[position - 1]!;
    const lane = { walId, previous: applied.get(partition) ?? 0, position, generation: 1 + rewinds };
    if ('entries' in record) return settle(partition, position, await ledger.applyFlow({ lane, record }));
    const call = callOf(record, lane, facts);
    let answer = await ledger.apply(call);
    if (answer.kind === 'need_windows') {
      answer = await ledger.apply({ ...call, windows: usageWindows(record.eventAtMs, zone, 1, 1, answer.sinceMs) });
    }
    settle(partition, position, answer);
  }

  function settle(partition: number, position: number, answer: ApplyResult): void {
    if (answer.kind === 'gap') {
      rewinds++;
      applied.set(partition, answer.stored);
    } else applied.set(partition, position);
  }

  return {
    walId,
    rewinds: () => rewinds,
    /** Believes that no more than `position` was applied. */
    rewind(partition: number, position: number) {
      applied.set(partition, Math.min(position, applied.get(partition) ?? 0));
    },
    partitions: () => [...lanes.keys()],
    done: () => [...lanes].every(([partition, positions]) => applied.get(partition) === positions.at(-1)),
    /** Applies up to `limit` records of a lane; false when none was left. */
    async advance(ledger: Ledger, partition: number, limit: number, facts: Facts = {}): Promise<boolean> {
      for (let done = 0; done < limit; done++) {
        const next = lanes.get(partition)?.find((position) => position > (applied.get(partition) ?? 0));
        if (next === undefined) return false;
        await applyOne(ledger, partition, next, facts);
      }
      return true;
    },
    async finish(ledger: Ledger, facts: Facts = {}): Promise<void> {
      const all = Number.MAX_SAFE_INTEGER;
      await Promise.all([...lanes.keys()].map((partition) => this.advance(ledger, partition, all, facts)));
    },
    /** The applied positions may be older than this applier believes. */
    async check(ledger: Ledger): Promise<void> {
      const stored = await ledger.lanePositions(walId);
      for (const partition of lanes.keys()) applied.set(partition, stored[partition] ?? 0);
    },
  };
}

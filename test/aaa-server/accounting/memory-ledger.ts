// A ledger in memory that follows the lane rule and adds up totals, with faults on demand: unanswered calls, calls that ran, older states.

import type { LedgerCalls } from '#aaa-server/accounting/apply.ts';
import type { SessionOwner } from '#aaa-server/accounting/owner.ts';
import { type AccountingCall, type ApplyResult, partitionCount } from '#policy/ledger/types.ts';

export type Fault = 'lost' | 'ran';

export type MemoryLedger = LedgerCalls & {
  /** Called for every call; a fault makes it fail before or after it ran. */
  fault: (call: AccountingCall) => Fault | Error | undefined;
  /** Answers instead of applying when it returns something. */
  answer: (call: AccountingCall) => ApplyResult | undefined;
  directory: Map<string, SessionOwner>;
  /** Every application, in order. */
  applied: { walId: string; partition: number; position: number; sessionId: string; upOctets: number }[];
  /** Applications whose generation was not greater than that of an earlier one of the same record. */
  sameGeneration: number;
  copy(): () => void;
};

export function createMemoryLedger(): MemoryLedger {
  let stored = new Map<string, number>();
  const generations = new Map<string, number>();
  const laneKey = (walId: string, partition: number) => `${walId} ${partition}`;

  function run(call: AccountingCall): ApplyResult {
    const { lane, record } = call;
    const key = laneKey(lane.walId, record.partition);
    if (lane.previous >= lane.position) throw new Error('a lane position is wrong');
    const position = stored.get(key) ?? 0;
    if (lane.position <= position) return { kind: 'duplicate' };
    if (lane.previous !== position) return { kind: 'gap', stored: position };
    const other = ledger.answer(call);
    if (other && other.kind !== 'quarantined') return other;
    stored.set(key, lane.position);
    const place = `${lane.walId} ${lane.position}`;
    if (lane.generation <= (generations.get(place) ?? 0)) ledger.sameGeneration++;
    generations.set(place, lane.generation);
    if (other) return other;
    const { partition, sessionId, upOctets } = record;
    ledger.applied.push({ walId: lane.walId, partition, position: lane.position, sessionId, upOctets: upOctets ?? 0 });
    return { kind: 'applied', crossed: record.kind === 'start', flags: [] };
  }

  const ledger: MemoryLedger = {
    fault: () => undefined,
    answer: () => undefined,
    directory: new Map(),
    applied: [],
    sameGeneration: 0,
    async apply(call) {
      await new Promise(setImmediate);
      const fault = ledger.fault(call);
      if (fault instanceof Error) throw fault;
      if (fault === 'lost') throw new Error('Connection is closed.');
      const result = run(call);
      if (fault === 'ran') throw new Error('Command timed out');
      return result;
    },
    async lanePositions(walId) {
      return Array.from({ length: partitionCount }, (_, partition) => stored.get(laneKey(walId, partition)) ?? 0);
    },
    async lookupSession(nasInstance, sessionId) {
      return ledger.directory.get(`${nasInstance}\n${sessionId}`);
    },
    copy() {
      const then = new Map(stored);
      const length = ledger.applied.length;
      return () => {
        stored = new Map(then);
        ledger.applied.length = length;
      };
    },
  };
  return ledger;
}

// How an accounting record of the log is applied: whose it is by then, and the call of the ledger that counts it.
import type { LaneWork } from '#ops/lanes/work.ts';
import type { AccountingCall, AccountingRecord, ApplyResult } from '#policy/ledger/types.ts';
import type { CallMaker } from './call.ts';
import { createOwnerOf, type LookupSession } from './owner.ts';
import { decodeRecord } from './record.ts';

/** What of policy/ledger accounting uses. A rejected promise of `apply` means: unknown whether it ran. */
export type LedgerCalls = {
  apply(call: AccountingCall): Promise<ApplyResult>;
  /** Stored position of the WAL in every partition, 0 where nothing of it was applied. */
  lanePositions(walId: string): Promise<readonly number[]>;
  lookupSession: LookupSession;
};

export type AccountingWorkDeps = { readonly ledger: LedgerCalls; readonly calls: CallMaker };

export function accountingWork({ ledger, calls }: AccountingWorkDeps): LaneWork<AccountingRecord> {
  const owner = createOwnerOf((instance, sessionId) => ledger.lookupSession(instance, sessionId));
  return {
    ready: () => calls.ready(),
    decode: decodeRecord,
    // A restart of a NAS concerns sessions of every lane.
    concernsAll: ({ kind }) => kind === 'on' || kind === 'off',
    resolve: owner.resolve,
    forget: owner.forget,
    apply: async (lane, record, sinceMs) => ledger.apply(calls.make(lane, record, sinceMs)),
    lanePositions: (walId) => ledger.lanePositions(walId),
    isEvent,
  };
}

/** A threshold was reached, or a session opened. */
function isEvent(record: AccountingRecord, answer: ApplyResult): boolean {
  if (answer.kind !== 'applied') return false;
  return answer.crossed || record.kind === 'start' || answer.flags.some((flag) => openingFlags.has(flag));
}

/** Flags of a record that opens a session without being its Start. */
const openingFlags = new Set(['lost_start', 'reopened']);

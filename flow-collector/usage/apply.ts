// How a flow usage record of the log is applied: one call of the ledger, which decides by the meter of each subscription what counts.
import type { LaneWork } from '#ops/lanes/work.ts';
import type { ApplyResult, FlowUsageCall, FlowUsageRecord } from '#policy/ledger/types.ts';
import { decodeUsage } from './record.ts';

/** What of policy/ledger flow usage uses. A rejected promise of `applyFlow` means: unknown whether it ran. */
export type UsageLedger = {
  applyFlow(call: FlowUsageCall): Promise<ApplyResult>;
  lanePositions(walId: string): Promise<readonly number[]>;
};

export function usageWork(ledger: UsageLedger): LaneWork<FlowUsageRecord> {
  return {
    ready: () => true,
    decode: decodeUsage,
    concernsAll: () => false,
    resolve: (record) => record,
    forget: () => {},
    apply: (lane, record) => ledger.applyFlow({ lane, record }),
    lanePositions: (walId) => ledger.lanePositions(walId),
    isEvent: (_, answer) => answer.kind === 'applied' && answer.crossed,
  };
}

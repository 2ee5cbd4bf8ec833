// How a flow usage record of the log is applied: one call of the ledger, which decides by the meter of each subscription what counts.
import type { LaneWork } from '#ops/lanes/work.ts';
import type { Ledger } from '#policy/ledger/ledger.ts';
import type { FlowUsageRecord } from '#policy/ledger/types.ts';
import { decodeUsage } from './record.ts';

/** What of policy/ledger flow usage uses. A rejected promise of `applyFlow` means: unknown whether it ran. */
export type UsageLedger = Pick<Ledger, 'applyFlow' | 'lanePositions'>;

/** `ledger` throws while there is none. */
export function usageWork(ledger: () => UsageLedger): LaneWork<FlowUsageRecord> {
  return {
    ready: () => true,
    decode: decodeUsage,
    concernsAll: () => false,
    resolve: (record) => record,
    forget: () => {},
    apply: async (lane, record) => ledger().applyFlow({ lane, record }),
    lanePositions: async (walId) => ledger().lanePositions(walId),
    isEvent: (_, answer) => answer.kind === 'applied' && answer.crossed,
  };
}

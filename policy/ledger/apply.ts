// Applies accounting calls: those of one partition that are made at once go in one call of the function.
import { accountingArguments, type BootedCall } from './arguments.ts';
import type { CallFunction } from './call.ts';
import { keys } from './keys.ts';
import { createTogether } from './together.ts';
import type { AccountingCall, ApplyResult } from './types.ts';

/** What the function did with a record. */
export type Applied = {
  readonly crossed: boolean;
  /** What the directory should say now: 'open', 'closed', or '' when it says so already. */
  readonly change: string;
  readonly incarnation: number;
  readonly lastMs: number;
  readonly subscription: number;
  /** The call brought boots that the partition did not know. */
  readonly boots: boolean;
  readonly flags: readonly string[];
};
export type Answer = Exclude<ApplyResult, { kind: 'applied' }> | Applied;

/** Calls of one lane are applied in the order in which they are made. */
export function createApply(call: CallFunction) {
  const together = createTogether<BootedCall, Answer>({
    groupOf: ({ call: { lane, record } }) => `${record.partition} ${lane.generation} ${lane.walId}`,
    most: 16,
    async send(calls) {
      const partition = calls[0]?.call.record.partition ?? 0;
      const answers = await call('accounting_apply', [keys.lanes(partition)], accountingArguments(calls));
      return calls.map((_, index) => answerOf((answers as (RawAnswer | 1)[])[index]));
    },
  });
  return (accounting: AccountingCall, boots: readonly number[]): Promise<Answer> =>
    together({ call: accounting, boots });
}

type RawAnswer = [
  kind: string,
  first?: number | string,
  change?: string,
  incarnation?: number,
  lastMs?: number,
  subscription?: number,
  boots?: number,
  ...flags: string[],
];

const nothingToSay: Applied = {
  ...{ crossed: false, change: '', incarnation: 0, lastMs: 0, subscription: 0, boots: false, flags: [] },
};

/** An error stands as if the record had been alone in its call. */
function answerOf(raw: RawAnswer | 1 = ['nothing']): Answer | Error {
  if (raw === 1) return nothingToSay;
  const [kind, first, change = '', incarnation = 0, lastMs = 0, subscription = 0, boots = 0, ...flags] = raw;
  switch (kind) {
    case 'applied':
      return { crossed: first === 1, change, incarnation, lastMs, subscription, boots: boots === 1, flags };
    case 'duplicate':
      return { kind };
    case 'gap':
      return { kind, stored: Number(first) };
    case 'need_windows':
      return { kind, sinceMs: Number(first) };
    case 'quarantined':
      return { kind, reason: String(first) };
    case 'error':
      return Object.assign(new Error(String(first)), { name: 'ReplyError' });
  }
  return new Error(`the ledger answered ${kind}`);
}

// Applies accounting calls: those of one partition that are made at once go in one call of the function.
import { accountingArguments, type BootedCall } from './arguments.ts';
import type { CallFunction } from './call.ts';
import { keys } from './keys.ts';
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

type Waiting = BootedCall & { readonly resolve: (answer: Answer) => void; readonly reject: (error: unknown) => void };

/** More would hold up what else Redis has to do. */
const mostAtOnce = 16;

/** Calls of one lane are applied in the order in which they are made. */
export function createApply(call: CallFunction) {
  let waiting: Waiting[] = [];

  function flush(): void {
    const groups = Map.groupBy(waiting, ({ call: { lane, record } }) => {
      return `${record.partition} ${lane.generation} ${lane.walId}`;
    });
    waiting = [];
    for (const group of groups.values()) {
      for (let from = 0; from < group.length; from += mostAtOnce) void send(group.slice(from, from + mostAtOnce));
    }
  }

  async function send(group: readonly Waiting[]): Promise<void> {
    try {
      const partition = group[0]?.call.record.partition ?? 0;
      const answers = await call('accounting_apply', [keys.lanes(partition)], accountingArguments(group));
      for (const [index, { resolve, reject }] of group.entries()) {
        const answer = answerOf((answers as RawAnswer[])[index]);
        if (answer instanceof Error) reject(answer);
        else resolve(answer);
      }
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }

  return (accounting: AccountingCall, boots: readonly number[]): Promise<Answer> =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) queueMicrotask(flush);
      waiting.push({ call: accounting, boots, resolve, reject });
    });
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

/** An error stands as if the record had been alone in its call. */
function answerOf(raw: RawAnswer = ['nothing']): Answer | Error {
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

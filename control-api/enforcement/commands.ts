// Settles a brake that holds. The ledger decides; the database keeps who did it.
import type { BrakeAnswer } from '#policy/ledger/brake.ts';
import type { TenantScope } from '../database/connect.ts';
import { type WriteContext, write } from '../database/write.ts';
import type { Deps } from '../deps.ts';
import { fromLedger } from '../plugins/ledger-failure.ts';
import { Problem } from '../problem.ts';

/** Gives how many changes were released or dropped. The row of the audit log is written first: nothing is released unseen. */
export async function settleBrake(
  { db }: Pick<Deps, 'db'>,
  context: WriteContext<TenantScope>,
  brakeId: number,
  count: number | null,
  settle: () => Promise<BrakeAnswer>,
): Promise<{ released: number }> {
  await write(db, context, async (tx) => tx.audit('brake', brakeId, count === null ? {} : { count }));
  const answer = await fromLedger(settle);
  if (answer.ok) return { released: answer.released };
  if (answer.reason === 'unknown') throw new Problem('brake_unknown', `no brake ${brakeId} holds`);
  throw new Problem('brake_count_differs', `${answer.pending} changes wait, not ${count}`);
}

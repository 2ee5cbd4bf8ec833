// Lets removals that the guard holds pass. The audit row comes first: nobody is removed unseen.
import type { Caller } from '../api.ts';
import type { TenantScope } from '../database/connect.ts';
import { type WriteContext, write } from '../database/write.ts';
import type { Deps } from '../deps.ts';
import { Problem } from '../problem.ts';
import { heldFor } from './queries.ts';

export async function confirmRemovals(
  { db, feedGuard }: Pick<Deps, 'db' | 'feedGuard'>,
  context: WriteContext<TenantScope>,
  caller: Caller,
  count: number,
): Promise<{ confirmed: number }> {
  await write(db, context, async (tx) => tx.audit('feed_guard', null, { count }));
  const held = (await heldFor(feedGuard, caller)).find((one) => one.count === count);
  if (!held || !(await feedGuard.confirm(held.tenantId, count)))
    throw new Problem('feed_guard_count_differs', `${count} is not the number of held removals`);
  return { confirmed: count };
}

// Forgets devices of a subscription, so that others may be learned. The audit row comes first: the ledger cannot take it back.
import { plainMac } from '#policy/network/mac.ts';
import type { TenantScope } from '../database/connect.ts';
import { type WriteContext, write } from '../database/write.ts';
import type { Deps } from '../deps.ts';
import { fromLedger } from '../plugins/ledger-failure.ts';
import { Problem } from '../problem.ts';
import { subscriptionOf } from '../subscriptions/queries.ts';

/** One device, or all without `mac`. */
export async function forgetDevices(
  { db, network }: Pick<Deps, 'db' | 'network'>,
  context: WriteContext<TenantScope>,
  subscriptionId: number,
  mac?: string,
): Promise<void> {
  const { tenantId } = context.scope;
  await write(db, context, async (tx) => {
    await subscriptionOf(tx, { subscriptionId, customerId: undefined });
    tx.audit('subscription', subscriptionId, { device: mac ?? 'all' });
  });
  const forgotten = await fromLedger(() =>
    network.forgetMacs({ tenantId, subscriptionId }, mac === undefined ? undefined : plainMac(mac)),
  );
  if (mac !== undefined && forgotten === 0) throw new Problem('device_unknown', `${mac} was not learned`);
}

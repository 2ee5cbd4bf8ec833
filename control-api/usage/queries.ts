// Reads the live usage of a subscription from the ledger.

import type { Static } from 'typebox';
import type { ByteCount } from '#policy/ledger/types.ts';
import { calendarOf, type UsageWindows, usageWindows } from '#policy/time.ts';
import type { TenantScope } from '../database/connect.ts';
import { read } from '../database/read.ts';
import type { Deps } from '../deps.ts';
import { fromLedger } from '../plugins/ledger-failure.ts';
import { type SubscriptionPath, subscriptionOf } from '../subscriptions/queries.ts';
import { presentTenant } from '../tenants/queries.ts';
import type { UsageReply } from './contract.ts';

/** Sums of the windows that contain now. The database is let go before the ledger is asked. */
export async function usageOf(
  { db, ledger, clock }: Pick<Deps, 'db' | 'ledger' | 'clock'>,
  scope: TenantScope,
  path: SubscriptionPath,
): Promise<Static<typeof UsageReply>> {
  const { id, windows } = await read(db, scope, async (conn) => {
    const subscription = await subscriptionOf(conn, path);
    const { timeZone, weekStart, anchorDay } = calendarOf(await presentTenant(conn), subscription);
    const windows: UsageWindows = usageWindows(clock.nowMs(), timeZone, weekStart, anchorDay);
    return { id: subscription.id, windows };
  });
  const usage = await fromLedger(() => ledger.usage(scope.tenantId, id, windows));
  return { today: show(usage.day), this_month: show(usage.month), all_time: show(usage.all) };
}

function show({ upBytes, downBytes }: ByteCount) {
  return { up_bytes: upBytes, down_bytes: downBytes, total_bytes: upBytes + downBytes };
}

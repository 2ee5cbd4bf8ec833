// Reads the usage of a subscription: the live counters from the ledger, and its series from the history when asked for.

import type { Static } from 'typebox';
import type { ByteCount } from '#policy/ledger/types.ts';
import { calendarOf, type UsageWindows, usageWindows } from '#policy/time.ts';
import type { TenantScope } from '../database/connect.ts';
import { read } from '../database/read.ts';
import type { Deps } from '../deps.ts';
import { fromLedger } from '../plugins/ledger-failure.ts';
import { type SubscriptionPath, subscriptionOf } from '../subscriptions/queries.ts';
import { presentTenant } from '../tenants/queries.ts';
import type { UsageQuery, UsageReply } from './contract.ts';
import { rangeOf, seriesOf } from './series.ts';

/** Sums of the windows that contain now. The database is let go before the ledger is asked. */
export async function usageOf(
  deps: Pick<Deps, 'db' | 'ledger' | 'history' | 'clock'>,
  scope: TenantScope,
  path: SubscriptionPath,
  query: UsageQuery,
): Promise<Static<typeof UsageReply>> {
  const nowMs = deps.clock.nowMs();
  const range = rangeOf(query, nowMs);
  const { id, timeZone, windows } = await read(deps.db, scope, async (conn) => {
    const subscription = await subscriptionOf(conn, path);
    const { timeZone, weekStart, anchorDay } = calendarOf(await presentTenant(conn), subscription);
    const windows: UsageWindows = usageWindows(nowMs, timeZone, weekStart, anchorDay);
    return { id: subscription.id, timeZone, windows };
  });
  const usage = await fromLedger(() => deps.ledger.usage(scope.tenantId, id, windows));
  const series = range ? await seriesOf(deps, { tenantId: scope.tenantId, subscriptionId: id }, range, timeZone) : {};
  return { today: show(usage.day), this_month: show(usage.month), all_time: show(usage.all), ...series };
}

function show({ upBytes, downBytes }: ByteCount) {
  return { up_bytes: upBytes, down_bytes: downBytes, total_bytes: upBytes + downBytes };
}

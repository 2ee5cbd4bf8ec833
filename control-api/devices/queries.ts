// Reads the devices that were learned for a subscription from the ledger.
import type { TenantScope } from '../database/connect.ts';
import { read } from '../database/read.ts';
import type { Deps } from '../deps.ts';
import { fromLedger } from '../plugins/ledger-failure.ts';
import { subscriptionOf } from '../subscriptions/queries.ts';
import type { DevicesReply } from './contract.ts';

export async function listDevices(
  { db, network }: Pick<Deps, 'db' | 'network'>,
  scope: TenantScope,
  subscriptionId: number,
): Promise<DevicesReply> {
  await read(db, scope, (conn) => subscriptionOf(conn, { subscriptionId, customerId: undefined }));
  const macs = await fromLedger(() => network.macs({ tenantId: scope.tenantId, subscriptionId }));
  return {
    data: macs.map(({ address, seenAtMs }) => ({ mac: address, last_login_at: new Date(seenAtMs).toISOString() })),
  };
}

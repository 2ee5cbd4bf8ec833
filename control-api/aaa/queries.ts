// Explains logins with what only the API knows beside aaa-server: how many sessions are alive.
import type { Static } from 'typebox';
import { staffServiceTypes } from '#policy/nas/device-access.ts';
import type { TenantScope } from '../database/connect.ts';
import type { Deps } from '../deps.ts';
import { fromLedger } from '../plugins/ledger-failure.ts';
import { Problem } from '../problem.ts';
import type { ExplainQuery } from './contract.ts';
import type { Explanation } from './edge.ts';

/** @param seesStaff whether the caller may know who the device users are */
export async function explainLogin(
  { aaa, ledger }: Pick<Deps, 'aaa' | 'ledger'>,
  { tenantId }: TenantScope,
  query: Static<typeof ExplainQuery>,
  seesStaff: boolean,
): Promise<Explanation> {
  const { username, nas, mac, calling_station_id: station = mac } = query;
  // Before it is looked for: a refusal must not tell whether there is such a member of staff.
  if (!seesStaff && staffServiceTypes.includes(query.service_type ?? 0)) throw staffHidden();
  const explanation = await aaa.explain({
    tenantId,
    userName: username,
    ...(nas === undefined ? {} : { nas }),
    ...(query.nas_identifier === undefined ? {} : { nasIdentifier: query.nas_identifier }),
    ...(station === undefined ? {} : { callingStationId: station }),
    ...(query.nas_port_id === undefined ? {} : { nasPortId: query.nas_port_id }),
    ...(query.circuit_id === undefined ? {} : { circuitId: query.circuit_id }),
    ...(query.remote_id === undefined ? {} : { remoteId: query.remote_id }),
    ...(query.service_type === undefined ? {} : { serviceType: query.service_type }),
  });
  const { network, user, facts } = explanation;
  if (!seesStaff && facts.some(({ fact }) => fact === 'device_user')) throw staffHidden();
  if (!network || !user.credential) return explanation;
  const subscriptionId = user.credential.subscription_id;
  return {
    ...explanation,
    network: { ...network, live_sessions: await liveSessions(ledger, tenantId, subscriptionId) },
  };
}

function staffHidden(): Problem {
  return new Problem('forbidden', 'logins of staff to devices are explained to who may see the device users');
}

/** Null while Redis is away: the explanation does not need it. */
async function liveSessions(ledger: Deps['ledger'], tenantId: number, subscriptionId: number): Promise<number | null> {
  try {
    return (await fromLedger(() => ledger.sessionsOf(tenantId, subscriptionId))).length;
  } catch (error) {
    if (error instanceof Problem && error.code === 'ledger_unavailable') return null;
    throw error;
  }
}

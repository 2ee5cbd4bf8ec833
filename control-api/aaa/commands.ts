// Tries a login for an operator: noted in the audit log before, without the password.
import type { Static } from 'typebox';
import { loginSentence } from '#policy/access/login-sentences.ts';
import type { TenantScope } from '../database/connect.ts';
import { type WriteContext, write } from '../database/write.ts';
import type { Deps } from '../deps.ts';
import type { TestBody, TestReply } from './contract.ts';

export async function testLogin(
  { db, aaa }: Pick<Deps, 'db' | 'aaa'>,
  context: WriteContext<TenantScope>,
  body: Static<typeof TestBody>,
): Promise<Static<typeof TestReply>> {
  const { username, password, method, nas } = body;
  const { tenantId } = context.scope;
  await write(db, context, async (tx) => {
    tx.audit('login', null, { username, method, ...(nas === undefined ? {} : { nas }) });
  });
  const tested = await aaa.testLogin({
    ...{ tenantId, userName: username, password, method },
    ...(nas === undefined ? {} : { nas }),
    ...(body.nas_identifier === undefined ? {} : { nasIdentifier: body.nas_identifier }),
    ...(body.calling_station_id === undefined ? {} : { callingStationId: body.calling_station_id }),
    ...(body.nas_port_id === undefined ? {} : { nasPortId: body.nas_port_id }),
  });
  const { result, reason, outcome, subscriptionId, nasId, durationUs, attributes } = tested;
  return {
    ...{ result, reason, sentence: reason === null ? null : loginSentence(reason), outcome },
    subscription_id: subscriptionId,
    nas_id: nasId,
    duration_ms: durationUs === null ? null : durationUs / 1000,
    attributes,
  };
}

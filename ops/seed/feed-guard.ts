// The seed removed its own subscribers on purpose: lets the guard of the running aaa-server follow, by count.
import { setTimeout as delay } from 'node:timers/promises';
import Type from 'typebox';
import { Value } from 'typebox/value';
import { messageOf } from '#ops/runtime/errors.ts';
import type { AaaAdmin } from './aaa-admin.ts';
import { askFor } from './edge.ts';
import type { Purged } from './purge.ts';

const HeldList = Type.Object({
  data: Type.Array(Type.Object({ tenant_id: Type.Integer(), kind: Type.String(), count: Type.Integer() })),
});
const deadlineMs = 120_000;
/** The reader follows a change within a second: when nothing was held for this long, nothing will be. */
const quietMs = 3000;

/** Confirms what is held as long as it can all be ours: at most `removed` records. Gives a sentence about what happened. */
export async function confirmRemovals(
  call: AaaAdmin,
  tenantId: number,
  { records: removed, lastUserName }: Pick<Purged, 'records' | 'lastUserName'>,
): Promise<string> {
  let confirmed = 0;
  const endAt = performance.now() + deadlineMs;
  for (let quietSince = performance.now(); performance.now() < endAt; await delay(250)) {
    const held = await heldOf(call, tenantId);
    if (typeof held === 'string') return held;
    if (held === 0 && performance.now() - quietSince > quietMs && (await followed(call, tenantId, lastUserName)))
      return confirmed === 0 ? 'aaa-server held nothing back' : `aaa-server follows ${confirmed} removals`;
    if (held > 0 && confirmed + held <= removed) {
      const response = await call('POST', '/feed-guard/confirm', { tenant_id: tenantId, count: held });
      if (response.ok) confirmed += held;
      quietSince = performance.now();
    }
  }
  return `aaa-server still holds removals back (${confirmed} confirmed): look at GET /api/v1/aaa/feed-guard`;
}

/** A removal that is held, or that the reader has not come to, leaves the user name known. No answer is heard at the next look. */
async function followed(call: AaaAdmin, tenantId: number, lastUserName: string): Promise<boolean> {
  if (lastUserName === '') return true;
  return askFor(call, tenantId, lastUserName).then(
    ({ status }) => status === 404,
    () => false,
  );
}

async function heldOf(call: AaaAdmin, tenantId: number): Promise<number | string> {
  try {
    const response = await call('GET', '/feed-guard');
    if (!response.ok) return `aaa-server answered ${response.status}: it will hold the removals back until confirmed`;
    const { data } = Value.Parse(HeldList, await response.json());
    return data.find((held) => held.tenant_id === tenantId && held.kind === 'removals')?.count ?? 0;
  } catch (error) {
    return `aaa-server is away (${messageOf(error)}): it may hold the removals back until confirmed`;
  }
}

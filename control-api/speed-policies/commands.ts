// Makes, renames and removes speed policies. One that an access server needs for a tariff cannot be removed.
import { eq, sql } from 'drizzle-orm';
import { nasProfile, vendors } from '#policy/nas/vendors.ts';
import type { Tx } from '../database/connect.ts';
import { nasOf } from '../nas/queries.ts';
import { invalid } from '../problem.ts';
import { requireBps } from '../services/fup-rules.ts';
import type { SpeedPolicyBody, SpeedPolicyChange, SpeedPolicyReply } from './contract.ts';
import { requirePolicies } from './missing.ts';
import { showSpeedPolicy, speedPolicyOf, unknownPolicy } from './queries.ts';
import { speedPolicy } from './schema.ts';

export async function createSpeedPolicy(tx: Tx, body: SpeedPolicyBody): Promise<SpeedPolicyReply> {
  const vendor = await vendorOf(tx, body);
  const upName = body.up_name ?? null;
  refuseUpName(vendor, upName);
  const [made] = await tx
    .insert(speedPolicy)
    .values({
      tenantId: tx.scope.tenantId,
      vendor,
      nasId: body.nas_id ?? null,
      upBps: requireBps(body.bandwidth_up, '/bandwidth_up'),
      downBps: requireBps(body.bandwidth_down, '/bandwidth_down'),
      name: body.name,
      upName,
    })
    .returning();
  if (!made) throw new Error('the speed policy was not inserted');
  tx.audit('speed_policy', made.id, { ...body });
  return showSpeedPolicy(made);
}

export async function changeSpeedPolicy(tx: Tx, id: number, change: SpeedPolicyChange): Promise<SpeedPolicyReply> {
  if (Object.keys(change).length === 0) throw invalid('', 'names nothing to change');
  const before = await speedPolicyOf(tx, id);
  refuseUpName(before.vendor, change.up_name ?? null);
  const [changed] = await tx
    .update(speedPolicy)
    .set({
      ...(change.name === undefined ? {} : { name: change.name }),
      ...(change.up_name === undefined ? {} : { upName: change.up_name }),
      updatedAt: sql`now()`,
    })
    .where(eq(speedPolicy.id, id))
    .returning();
  if (!changed) throw unknownPolicy(id);
  tx.audit('speed_policy', id, change);
  return showSpeedPolicy(changed);
}

export async function removeSpeedPolicy(tx: Tx, id: number): Promise<void> {
  const [removed] = await tx.delete(speedPolicy).where(eq(speedPolicy.id, id)).returning();
  if (!removed) throw unknownPolicy(id);
  const { upBps, downBps, nasId } = removed;
  await requirePolicies(tx, { speed: { upBps, downBps }, ...(nasId === null ? {} : { nasId }) });
  tx.audit('speed_policy', id, showSpeedPolicy(removed));
}

/** The vendor that is named, or that of the NAS. */
async function vendorOf(tx: Tx, { vendor, nas_id }: SpeedPolicyBody): Promise<string> {
  if ((vendor === undefined) === (nas_id === undefined)) throw invalid('', 'must name either vendor or nas_id');
  const found = vendor ?? (await nasOf(tx, nas_id ?? 0)).vendor;
  if (!vendors.some((known) => known === found)) throw invalid('/vendor', `must be one of ${vendors.join(', ')}`);
  if (!nasProfile(found).named) {
    throw invalid(vendor === undefined ? '/nas_id' : '/vendor', `is ${found}, which is told speeds in numbers`);
  }
  return found;
}

function refuseUpName(vendor: string, upName: string | null): void {
  if (upName !== null && !nasProfile(vendor).upNames)
    throw invalid('/up_name', `is of no use: on ${vendor} one policy is for both directions`);
}

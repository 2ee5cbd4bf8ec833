// Applies batches of flow usage, and tells the ledger which meter counts a subscription.
import type { CallFunction } from './call.ts';
import { keys, partitionOf, tag } from './keys.ts';
import { createPacker } from './packer.ts';
import type { ApplyResult, FlowUsage, FlowUsageCall, Meter, Subscriber } from './types.ts';

/** `record.entries` all belong to `record.partition`. */
export async function applyFlow(call: CallFunction, { lane, record }: FlowUsageCall): Promise<ApplyResult> {
  const { partition, receivedAtMs, entries } = record;
  const answer = await call(
    'flow_apply',
    [keys.lanes(partition)],
    [lane.walId, lane.generation, tag(partition), lane.previous, lane.position, receivedAtMs, packed(entries)],
  );
  const [kind, first, ...flags] = answer as [string, (number | string)?, ...string[]];
  switch (kind) {
    case 'applied':
      return { kind, crossed: first === 1, flags };
    case 'duplicate':
      return { kind };
    case 'gap':
      return { kind, stored: Number(first) };
    case 'quarantined':
      return { kind, reason: String(first) };
  }
  throw new Error(`the ledger answered ${kind}`);
}

/** The meter of a subscription was chosen. May be told again, and by callers that lag: the latest switch stands. */
export async function setMeter(
  call: CallFunction,
  who: Subscriber,
  meter: Meter,
  sinceMs: number | null,
): Promise<void> {
  const { tenantId, subscriptionId } = who;
  const partition = partitionOf(tenantId, subscriptionId);
  const key = keys.usage(partition, tenantId, subscriptionId);
  await call('meter_set', [key], [meter === 'flow' ? 1 : 0, sinceMs ?? 0, tag(partition)]);
}

const packer = createPacker();

/** Tenant, subscription and slot in six octets each, up and down in seven (lua/flow.lua). */
function packed(entries: readonly FlowUsage[]): Buffer {
  packer.begin();
  for (const { tenantId, subscriptionId, slotFromMs, upBytes, downBytes } of entries) {
    packer.skip(0);
    packer.uint(tenantId, 6);
    packer.uint(subscriptionId, 6);
    packer.uint(slotFromMs, 6);
    packer.uint(upBytes, 7);
    packer.uint(downBytes, 7);
  }
  return packer.take();
}

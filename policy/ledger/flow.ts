// Applies batches of flow usage, and tells the ledger which meter counts a subscription.
import type { CallFunction } from './call.ts';
import { keys, partitionOf, tag } from './keys.ts';
import type { ApplyResult, FlowUsage, FlowUsageCall, Meter, Subscriber } from './types.ts';

/** `record.entries` all belong to `record.partition`. */
export async function applyFlow(call: CallFunction, { lane, record }: FlowUsageCall): Promise<ApplyResult> {
  const { partition, receivedAtMs, entries } = record;
  const answer = await call(
    'flow_apply',
    [keys.lanes(partition), keys.enforce(partition), keys.quarantine(partition), keys.accounted(partition)],
    [lane.walId, lane.previous, lane.position, lane.generation, tag(partition), receivedAtMs, packed(entries)],
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

const entryBytes = 32;
const high = 2 ** 48;

/** Tenant, subscription and slot in six octets each, up and down in seven, least octet first (lua/flow.lua). */
function packed(entries: readonly FlowUsage[]): Buffer {
  const bytes = Buffer.alloc(entries.length * entryBytes);
  for (const [index, { tenantId, subscriptionId, slotFromMs, upBytes, downBytes }] of entries.entries()) {
    const at = index * entryBytes;
    bytes.writeUIntLE(tenantId, at, 6);
    bytes.writeUIntLE(subscriptionId, at + 6, 6);
    bytes.writeUIntLE(slotFromMs, at + 12, 6);
    writeCount(bytes, upBytes, at + 18);
    writeCount(bytes, downBytes, at + 25);
  }
  return bytes;
}

function writeCount(bytes: Buffer, count: number, at: number): void {
  bytes.writeUIntLE(count % high, at, 6);
  bytes.writeUInt8(Math.floor(count / high), at + 6);
}

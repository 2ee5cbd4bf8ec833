// The devices learned for subscriptions: what `macs:{pNN}:<tenant>` keeps and the `profile:{pNN}` stream tells every node.
import type { Cluster, Redis } from 'ioredis';
import { createFunctionCaller } from './call.ts';
import { keys, partitionOf, tag } from './keys.ts';
import type { Subscriber } from './types.ts';

export type LearnedMac = {
  /** Twelve lower-case hex digits. */
  readonly address: string;
  /** To the day. */
  readonly seenAtMs: number;
};

export type LearnedMacs = Subscriber & { readonly macs: readonly LearnedMac[] };

/** `<mac>=<last seen>,…`; what is something else is left out. */
export function decodeMacs(text: string): LearnedMac[] {
  return text.split(',').flatMap((entry) => {
    const found = /^([\da-f]{12})=(\d{1,16})$/.exec(entry);
    return found ? { address: found[1] ?? '', seenAtMs: Number(found[2]) } : [];
  });
}

export function encodeMacs(macs: readonly LearnedMac[]): string {
  return macs.map(({ address, seenAtMs }) => `${address}=${seenAtMs}`).join(',');
}

/** Of an entry of the stream; undefined when it tells something else. */
export function macsOfFields(fields: readonly string[]): LearnedMacs | undefined {
  const value = (name: string) => {
    const at = fields.findIndex((field, index) => index % 2 === 0 && field === name);
    return at < 0 ? undefined : fields[at + 1];
  };
  const text = value('macs');
  const [tenantId, subscriptionId] = [Number(value('tenant')), Number(value('sub'))];
  if (text === undefined || !Number.isSafeInteger(tenantId) || !Number.isSafeInteger(subscriptionId)) return undefined;
  return { tenantId, subscriptionId, macs: decodeMacs(text) };
}

export async function readMacs(redis: Redis | Cluster, who: Subscriber): Promise<LearnedMac[]> {
  const partition = partitionOf(who.tenantId, who.subscriptionId);
  return decodeMacs((await redis.hget(keys.macs(partition, who.tenantId), String(who.subscriptionId))) ?? '');
}

/** Forgets one device, or all without `address`. @returns how many */
export async function forgetMacs(redis: Redis | Cluster, who: Subscriber, address = ''): Promise<number> {
  const partition = partitionOf(who.tenantId, who.subscriptionId);
  const { call } = createFunctionCaller(redis, () => {});
  const key = keys.macs(partition, who.tenantId);
  return (await call(
    'login_forget_macs',
    [key],
    [tag(partition), who.tenantId, who.subscriptionId, address],
  )) as number;
}

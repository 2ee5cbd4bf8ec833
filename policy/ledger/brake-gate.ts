// The gate that every stricter change passes before it is sent: counted per tenant, atomically across nodes (policy/enforcement/brake-rule.ts).
import type { Cluster, Redis } from 'ioredis';
import { brakeLimit, brakeWindowMs } from '../enforcement/brake-rule.ts';
import { createFunctionCaller } from './call.ts';
import { keys, tag } from './keys.ts';

export type StricterChange = {
  readonly subscriptionId: number;
  /** What is counted together in the list, e.g. `throttle:fup`. */
  readonly reason: string;
  /** Text of the desired outcome. */
  readonly desired: string;
};

/** go: send it. held: a brake holds it. dropped: an operator cancelled exactly this change. */
export type Verdict = 'go' | 'held' | 'dropped';

export type Asked = {
  readonly verdicts: readonly Verdict[];
  /** Set when this question made the brake hold. */
  readonly opened: { readonly id: string; readonly limit: number; readonly online: number } | null;
};

export type BrakeState = {
  readonly holding: boolean;
  /** Subscriptions whose change was confirmed and is not yet made. */
  readonly released: readonly number[];
  /** Whether any subscription of the tenant is held, released or dropped. */
  readonly touched: boolean;
};

export type BrakeGate = ReturnType<typeof createBrakeGate>;

const changesPerCall = 500;

export function createBrakeGate(redis: Redis | Cluster) {
  const { call } = createFunctionCaller(redis, () => {});
  const onlineKey = (tenantId: number) => `${keys.brake(tenantId)}:online`;

  async function online(tenantId: number): Promise<number> {
    return (await redis.hvals(onlineKey(tenantId))).reduce((sum, count) => sum + Number(count), 0);
  }

  return {
    online,

    /** Asks for all changes of one evaluation together: either none of the new ones exceeds the limit or all of them are held. */
    async ask(tenantId: number, changes: readonly StricterChange[], nowMs: number): Promise<Asked> {
      const present = await online(tenantId);
      const limit = brakeLimit(present);
      const verdicts: Verdict[] = [];
      let opened: Asked['opened'] = null;
      for (let from = 0; from < changes.length; from += changesPerCall) {
        const part = changes.slice(from, from + changesPerCall);
        const answer = await call('brake_ask', brakeKeys(tenantId), [
          nowMs,
          brakeWindowMs,
          limit,
          present,
          changes.length - from - part.length,
          ...part.flatMap((change) => [change.subscriptionId, change.reason, change.desired]),
        ]);
        const [id, isNew, ...rest] = answer as [string, number, ...Verdict[]];
        if (isNew === 1) opened = { id, limit, online: present };
        verdicts.push(...rest);
      }
      return { verdicts, opened };
    },

    /** Whether exactly this change is held, was let through by an operator and is not made yet, or was dropped. */
    async knows(tenantId: number, change: StricterChange): Promise<boolean> {
      const [, pending = '', , released = '', dropped = ''] = brakeKeys(tenantId);
      const member = String(change.subscriptionId);
      const stored = await Promise.all([pending, released, dropped].map((name) => redis.hget(name, member)));
      return stored.includes(`${change.reason}\n${change.desired}`);
    },

    /** Whether exactly this change is held or was dropped. */
    async stands(tenantId: number, change: StricterChange): Promise<boolean> {
      const [, pending = '', , , dropped = ''] = brakeKeys(tenantId);
      const member = String(change.subscriptionId);
      const stored = await Promise.all([redis.hget(pending, member), redis.hget(dropped, member)]);
      return stored.includes(`${change.reason}\n${change.desired}`);
    },

    /** The changes of these subscriptions are made or no longer wanted. */
    async clear(tenantId: number, subscriptionIds: readonly number[], nowMs: number): Promise<void> {
      if (subscriptionIds.length === 0) return;
      await call('brake_clear', brakeKeys(tenantId), [nowMs, ...subscriptionIds]);
    },

    async state(tenantId: number): Promise<BrakeState> {
      const answer = await call('brake_look', brakeKeys(tenantId), ['1']);
      const [hold, pending, , released, dropped] = answer as [string[], number, string[], string[], number];
      return {
        holding: hold.includes('id'),
        released: released.map(Number),
        touched: pending > 0 || released.length > 0 || dropped > 0,
      };
    },

    /** Subscribers of the tenant with an open session in this partition, as the sweep counted them. */
    async countOnline(tenantId: number, partition: number, count: number): Promise<void> {
      if (count > 0) await redis.hset(onlineKey(tenantId), tag(partition), count);
      else await redis.hdel(onlineKey(tenantId), tag(partition));
    },
  };
}

/** Keys of the brake functions, in their order. */
export function brakeKeys(tenantId: number): string[] {
  const base = keys.brake(tenantId);
  return [base, `${base}:pending`, `${base}:recent`, `${base}:released`, `${base}:dropped`, `${base}:finished`];
}

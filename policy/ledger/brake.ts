// What an operator does about a brake that holds: see it, confirm it by count, or cancel it.
import type { Cluster, Redis } from 'ioredis';
import { brakeKeys } from './brake-gate.ts';
import { createFunctionCaller } from './call.ts';

/** held: waits for an operator. dissolved: nothing was left to hold. */
export const brakeStates = ['held', 'confirmed', 'cancelled', 'dissolved'] as const;

export type Brake = {
  readonly id: number;
  readonly tenantId: number;
  readonly since: Date;
  /** Subscriptions whose change waits; for a confirmed or cancelled brake, how many there were. */
  readonly pending: number;
  readonly online: number;
  readonly limit: number;
  /** How many wait for which reason, e.g. `{ 'reject:expired': 60 }`. */
  readonly reasons: Readonly<Record<string, number>>;
  readonly state: (typeof brakeStates)[number];
};

export type BrakeAnswer =
  | { readonly ok: true; readonly released: number }
  /** No brake of this id holds. */
  | { readonly ok: false; readonly reason: 'unknown' }
  /** The count is not what waits now: nothing was released. */
  | { readonly ok: false; readonly reason: 'count_differs'; readonly pending: number };

/** The brake that holds, if any, then the last ten that ended. */
export async function listBrakes(redis: Redis | Cluster, tenantId: number): Promise<Brake[]> {
  const answer = await call(redis, 'brake_look', tenantId, ['0']);
  const [fields, pending, finished] = answer as [string[], number, string[]];
  const hold = Object.fromEntries(pairsOf(fields));
  return [
    ...(hold.id === undefined ? [] : [brakeOf(tenantId, { ...hold, count: String(pending), state: 'held' })]),
    ...finished.map((text) => brakeOf(tenantId, JSON.parse(text) as Record<string, string>)),
  ];
}

/** Releases what the brake holds, if exactly `count` changes wait. They are sent in waves within about a minute. */
export function confirmBrake(
  redis: Redis | Cluster,
  tenantId: number,
  id: number,
  count: number,
): Promise<BrakeAnswer> {
  return settle(redis, tenantId, id, String(count), '4', 'confirmed');
}

/** Drops what the brake holds: these subscriptions stay as they are until their own state changes again. */
export function cancelBrake(redis: Redis | Cluster, tenantId: number, id: number): Promise<BrakeAnswer> {
  return settle(redis, tenantId, id, '', '5', 'cancelled');
}

async function settle(
  redis: Redis | Cluster,
  tenantId: number,
  id: number,
  count: string,
  target: '4' | '5',
  state: 'confirmed' | 'cancelled',
): Promise<BrakeAnswer> {
  const answer = await call(redis, 'brake_settle', tenantId, [id, count, Date.now(), target, state]);
  const [result, pending = 0] = answer as [string, number?];
  if (result === 'ok') return { ok: true, released: pending };
  return result === 'count' ? { ok: false, reason: 'count_differs', pending } : { ok: false, reason: 'unknown' };
}

function call(
  redis: Redis | Cluster,
  name: string,
  tenantId: number,
  args: readonly (string | number)[],
): Promise<unknown> {
  return createFunctionCaller(redis, () => {}).call(name, brakeKeys(tenantId), args);
}

function brakeOf(tenantId: number, fields: Readonly<Record<string, string>>): Brake {
  const reasons = Object.entries(fields)
    .filter(([name, count]) => name.startsWith('reason:') && Number(count) > 0)
    .map(([name, count]) => [name.slice('reason:'.length), Number(count)] as const);
  return {
    id: Number(fields.id),
    tenantId,
    since: new Date(Number(fields.since)),
    pending: Number(fields.count ?? 0),
    online: Number(fields.online),
    limit: Number(fields.limit),
    reasons: Object.fromEntries(reasons),
    state: brakeStates.find((state) => state === fields.state) ?? 'held',
  };
}

function pairsOf(fields: readonly string[]): [string, string][] {
  return fields.flatMap((name, index) =>
    index % 2 === 0 ? [[name, fields[index + 1] ?? ''] as [string, string]] : [],
  );
}

// What a login must ask the ledger for before it is answered; null for the many that need nothing of it.
import { hash } from 'node:crypto';
import { holdMs, type LoginAsk, type LoginPlace } from '#policy/ledger/login.ts';
import { plainMac } from '#policy/network/mac.ts';
import { type Pool, type PoolFamily, poolsFor } from '#policy/network/pool.ts';
import { type Authorization, interimSpread } from '../auth/authorize.ts';
import type { NasRecord, SnapshotReader } from '../subscribers/records.ts';
import { termsOf } from './terms.ts';

/** The pools to draw from, one after the other until one has something. */
export type PoolNeed = { readonly family: PoolFamily; readonly pools: readonly Pool[] };

export type LoginNeed = Omit<LoginAsk, 'nowMs' | 'pools' | 'poolHoldMs'> & {
  readonly poolHoldMs: number;
  readonly holder: string;
  readonly pools: readonly PoolNeed[];
  /** The mirror knows as many devices as there may be, and this is none of them. */
  readonly macsFull: boolean;
};

export type NeedResult =
  | { readonly kind: 'none' }
  | { readonly kind: 'refused'; readonly reason: 'mac_not_allowed' }
  | { readonly kind: 'ask'; readonly need: LoginNeed };

const none: NeedResult = { kind: 'none' };
const noMacs: readonly never[] = [];
const familyOfKind = {
  ipv4: 'ipv4',
  framed_route: null,
  ipv6_prefix: 'ipv6_prefix',
  delegated_prefix: 'delegated_prefix',
} as const;

/** Whether a login of this subscription may need anything; false: as long as no record changes, none does. */
export function mayNeed({
  tenant,
  plan,
  subscription,
}: Pick<Authorization, 'tenant' | 'plan' | 'subscription'>): boolean {
  if (!plan.network && !subscription.network) return false;
  const { ipv4PoolId, ipv6PoolId, delegatedPoolId, sessionLimit, macLimit } = termsOf(plan, subscription);
  const draws = ipv4PoolId !== null || ipv6PoolId !== null || delegatedPoolId !== null;
  return draws || macLimit > 0 || (sessionLimit > 0 && tenant.sessionMode === 'refuse');
}

/** @param pools those of the tenant */
export function needOf(
  snapshot: Pick<SnapshotReader, 'macs'>,
  pools: readonly Pool[],
  found: Pick<Authorization, 'tenant' | 'plan' | 'subscription'>,
  nas: Pick<NasRecord, 'id'>,
  place: LoginPlace,
): NeedResult {
  const { tenant, plan, subscription } = found;
  const terms = termsOf(plan, subscription);
  const { tenantId, id: subscriptionId } = subscription;

  const drawn: PoolNeed[] = [];
  const draw = (family: PoolFamily, poolId: number | null) => {
    if (poolId === null || subscription.addresses.some(({ kind }) => familyOfKind[kind] === family)) return;
    const chain = poolsFor(pools, { poolId, family, nasId: nas.id });
    if (chain.length > 0) drawn.push({ family, pools: chain });
  };
  draw('ipv4', terms.ipv4PoolId);
  draw('ipv6_prefix', terms.ipv6PoolId);
  draw('delegated_prefix', terms.delegatedPoolId);

  const limited = terms.sessionLimit > 0 && tenant.sessionMode === 'refuse';
  const limit = limited ? { sessions: terms.sessionLimit, aliveMs: aliveMs(plan.interimIntervalS) } : undefined;

  const address = terms.macLimit > 0 ? plainMac(place.callingStationId) : '';
  // Bound to devices, and this one does not say which it is.
  if (terms.macLimit > 0 && address === '') return { kind: 'refused', reason: 'mac_not_allowed' };
  const learned = address === '' ? noMacs : snapshot.macs(tenantId, subscriptionId);
  const known = learned.some((mac) => mac.address === address);
  const mac = address === '' || known ? undefined : { address, most: terms.macLimit, mode: terms.macMode };

  if (drawn.length === 0 && !limit && !mac) return none;
  const holder = holderOf(place, subscriptionId, terms.sessionLimit);
  // A Start need not name the address: then the first interim report does.
  const poolHoldMs = Math.max(holdMs, aliveMs(plan.interimIntervalS));
  const oneSession = terms.sessionLimit === 1;
  const macsFull = learned.length >= terms.macLimit;
  const need = { tenantId, subscriptionId, place, pools: drawn, holder, poolHoldMs, oneSession, macsFull, limit, mac };
  return { kind: 'ask', need };
}

/** One report may be lost on its way, of a session that was told to report seldom. */
function aliveMs(interimIntervalS: number): number {
  return 2 * Math.ceil((1 + interimSpread) * interimIntervalS) * 1000 + 60_000;
}

/**
 * (NAS instance, user, device): the same login again is the same holder. Without a device its port tells it. Where there may be
 * several sessions a device may have two of them, each at a port of its own.
 */
function holderOf(
  { nasInstance, callingStationId, nasPort, nasPortId }: LoginPlace,
  subscriptionId: number,
  sessionLimit: number,
): string {
  const device = plainMac(callingStationId) || callingStationId || nasPortId || nasPort;
  const port = sessionLimit === 1 ? '' : `\n${nasPortId}\n${nasPort}`;
  return hash('sha256', `${nasInstance}\n${subscriptionId}\n${device}${port}`).slice(0, 20);
}

// What becomes of a login that ends in a reject: where the tenant says so, a short stay in a walled garden instead. Pure.
import type { Speed } from '../speed.ts';
import type { RestrictReason } from './outcome.ts';

export const refusals = ['unknown_user', 'wrong_password', 'blocked', 'expired'] as const;
export type Refusal = (typeof refusals)[number];

/** The stay. What fences it lies at the access server: a pool or an address list there, that reaches the portal and nothing else. */
export type GardenStay = {
  /** Name of a pool of the access server (Framed-Pool, RFC 2869 §5.18); '' without. */
  readonly framedPool: string;
  /** Name of an address list or filter there; '' without. */
  readonly addressList: string;
  /** Where the access server sends browsers; '' without. */
  readonly portalUrl: string;
  readonly sessionTimeoutS: number;
  /** So many stays at once on a node, of all who are refused for the same thing. One more is rejected. */
  readonly atOnce: number;
  readonly speed: Speed;
};

/** The same as an operator writes it; see {@link parseRefusedLogins}. */
export type RefusedLoginsText = {
  readonly [R in Refusal]?: {
    readonly framed_pool?: string;
    readonly address_list?: string;
    readonly portal_url?: string;
    readonly session_timeout_s?: number;
    readonly at_once?: number;
    readonly up_bps?: number;
    readonly down_bps?: number;
  };
};

export type RefusedLogins = { readonly [R in Refusal]?: GardenStay };

/** Money, or a mistake that the portal can mend. Fraud, abuse and what has ended are rejected whatever the tenant says. */
const refusalOf: Readonly<Record<string, Refusal>> = {
  unknown_user: 'unknown_user',
  wrong_password: 'wrong_password',
  customer_blocked: 'blocked',
  hold_non_payment: 'blocked',
  hold_admin: 'blocked',
  expired: 'expired',
} satisfies Partial<Record<RestrictReason | 'unknown_user' | 'wrong_password', Refusal>>;

/** The stay of a login that would be rejected for this reason, and what is counted together; null: a reject. */
export function stayOf(
  rules: RefusedLogins | undefined,
  reason: string,
): { readonly refusal: Refusal; readonly stay: GardenStay } | null {
  const refusal = Object.hasOwn(refusalOf, reason) ? refusalOf[reason] : undefined;
  const stay = refusal && rules?.[refusal];
  return refusal && stay ? { refusal, stay } : null;
}

const limits = { sessionTimeoutS: [60, 3600], atOnce: [1, 10_000], bps: [64_000, 10_000_000] } as const;
const name = /^[\x21-\x7e]{0,64}$/;
const defaultSpeed: Speed = { upBps: 1_000_000, downBps: 1_000_000 };

export type ParsedRefusedLogins =
  | { readonly ok: true; readonly value: RefusedLogins }
  | { readonly ok: false; readonly problem: string };

/**
 * `{ "unknown_user": { "framed_pool", "address_list", "portal_url", "session_timeout_s", "at_once", "up_bps", "down_bps" }, … }`; names and
 * URL are optional, but a pool or a list must fence the stay.
 */
export function parseRefusedLogins(value: unknown): ParsedRefusedLogins {
  if (!isObject(value)) return { ok: false, problem: 'is no object' };
  const parsed: { [R in Refusal]?: GardenStay } = {};
  for (const [key, rule] of Object.entries(value)) {
    const refusal = refusals.find((known) => known === key);
    if (!refusal) return { ok: false, problem: `${key} is none of ${refusals.join(', ')}` };
    const stay = parseStay(rule);
    if (typeof stay === 'string') return { ok: false, problem: `${key} ${stay}` };
    parsed[refusal] = stay;
  }
  return { ok: true, value: parsed };
}

/** The stay, or what is wrong with it. */
function parseStay(rule: unknown): GardenStay | string {
  if (!isObject(rule)) return 'is no object';
  const { framed_pool: framedPool = '', address_list: addressList = '', portal_url: portalUrl = '' } = rule;
  const { session_timeout_s: sessionTimeoutS = 300, at_once: atOnce = 100 } = rule;
  const { up_bps: upBps = defaultSpeed.upBps, down_bps: downBps = defaultSpeed.downBps } = rule;
  if (!isName(framedPool) || !isName(addressList)) return 'has a name that no attribute can carry';
  if (framedPool === '' && addressList === '')
    return 'names neither framed_pool nor address_list: nothing would fence it';
  if (typeof portalUrl !== 'string' || portalUrl.length > 240) return 'has a portal_url that no attribute can carry';
  if (portalUrl !== '' && !/^https?:\/\/[\x21-\x7e]+$/.test(portalUrl)) return 'has a portal_url that is no URL';
  if (!within(sessionTimeoutS, limits.sessionTimeoutS))
    return `has a session_timeout_s outside ${limits.sessionTimeoutS}`;
  if (!within(atOnce, limits.atOnce)) return `has an at_once outside ${limits.atOnce}`;
  if (!within(upBps, limits.bps) || !within(downBps, limits.bps)) return `has a speed outside ${limits.bps}`;
  return { framedPool, addressList, portalUrl, sessionTimeoutS, atOnce, speed: { upBps, downBps } };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && name.test(value);
}

function within(value: unknown, [least, most]: readonly [number, number]): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
}

// What a login is answered, from the snapshot and the mirror of decided profiles alone: no store is asked.
import { outcomeHash } from '#aaa-server/accounting/class.ts';
import { decideAccess } from '#policy/access/decide.ts';
import { evaluateOutcome } from '#policy/access/evaluate.ts';
import { expiryOf, type FeedSilence, noSilence } from '#policy/access/expiry.ts';
import { forNas } from '#policy/access/for-nas.ts';
import { formatOutcome, type Outcome, parseOutcome } from '#policy/access/outcome.ts';
import { suspendedSpeed } from '#policy/access/suspended-speed.ts';
import { isStricter } from '#policy/enforcement/brake-rule.ts';
import { lowestFupSpeed } from '#policy/fup/effect.ts';
import type { FupProfile } from '#policy/fup/profile.ts';
import type { ConfiguredNas, ToldSpeed } from '#policy/nas/configured.ts';
import type { NasAttribute } from '#policy/nas/profile.ts';
import type {
  PlanRecord,
  ProfileRecord,
  SnapshotReader,
  SubscriptionRecord,
  TenantRecord,
} from '../subscribers/records.ts';
import { addressAttributes } from './address-attributes.ts';

export type Login =
  /** `subscriptionId`: its credential was just read and says so. */
  | { readonly tenantId: number; readonly realm: string; readonly userName: string; readonly subscriptionId?: number }
  | { readonly tenantId: number; readonly subscriptionId: number };

export type AuthorizeOptions = {
  readonly nas: Pick<ConfiguredNas, 'gardenVerified' | 'tell'>;
  /** Settings FEED_SILENCE_S and FEED_SILENCE_GRACE_S. */
  readonly feedSilence: Pick<FeedSilence, 'toleratedMs' | 'extraGraceMs'>;
  /** The last instant at which the mirror of decided profiles was known to be complete; null: it is. */
  readonly mirrorSilentSinceMs: number | null;
  /** In [0, 1). */
  readonly random: () => number;
};

export type Reply = {
  /** Null when the access server cannot be told any speed, and for a reject. */
  readonly speed: ToldSpeed | null;
  readonly addresses: readonly NasAttribute[];
  /** Null: no Session-Timeout. */
  readonly sessionTimeoutS: number | null;
  /** The instant that Session-Timeout leads to, jitter aside; null: there is none. */
  readonly timeoutAtMs: number | null;
  readonly interimIntervalS: number;
  readonly outcomeText: string;
  /** For Class: what this login was answered. */
  readonly outcomeHash: string;
};

export type Authorization = {
  readonly kind: 'known';
  readonly outcome: Outcome;
  /** The same before the brake held it back and before what the access server can do was asked. */
  readonly decided: Outcome;
  readonly tenant: TenantRecord;
  readonly plan: PlanRecord;
  readonly subscription: SubscriptionRecord;
  readonly reply: Reply;
  /** Until then the outcome is the same as long as no record changes; 0 where it depends on more than records and time. */
  readonly standsUntilMs: number;
};

export type AuthorizeResult =
  | Authorization
  | { readonly kind: 'unknown_user' }
  /** The snapshot is not complete enough to say anything: the request goes unanswered and the NAS fails over. */
  | { readonly kind: 'unavailable'; readonly missing: 'snapshot' | 'tenant' | 'subscription' | 'plan' };

export function authorize(
  snapshot: SnapshotReader,
  login: Login,
  nowMs: number,
  options: AuthorizeOptions,
): AuthorizeResult {
  if (!snapshot.complete()) return { kind: 'unavailable', missing: 'snapshot' };
  const byName = 'userName' in login;
  const subscriptionId =
    byName && login.subscriptionId === undefined
      ? snapshot.credential(login.tenantId, login.realm, login.userName)?.subscriptionId
      : login.subscriptionId;
  if (subscriptionId === undefined) return { kind: 'unknown_user' };
  const subscription = snapshot.subscription(login.tenantId, subscriptionId);
  if (!subscription) return byName ? { kind: 'unavailable', missing: 'subscription' } : { kind: 'unknown_user' };
  const tenant = snapshot.tenant(login.tenantId);
  if (!tenant) return { kind: 'unavailable', missing: 'tenant' };
  const plan = snapshot.plan(login.tenantId, subscription.planId);
  if (!plan) return { kind: 'unavailable', missing: 'plan' };

  const profile = snapshot.profile(login.tenantId, subscriptionId);
  const feed = { silentSinceMs: snapshot.feedAliveAtMs() || null, ...options.feedSilence };
  const isMirrored = isInStep(plan, options.mirrorSilentSinceMs, nowMs);
  const known = { profile: isMirrored ? profile : cautiousFup(profile, plan, nowMs) };
  const { outcome: decided, untilMs } = evaluateOutcome({ tenant, plan, subscription }, known, feed, nowMs);
  const outcome = forNas(heldBack(decided, profile), options.nas);
  const isPaid = nowMs <= (expiryOf(subscription.paidUntilMs, plan.graceMs) ?? nowMs);
  return {
    kind: 'known',
    outcome,
    decided,
    tenant,
    plan,
    subscription,
    reply: replyOf(outcome, plan, subscription, nowMs, options),
    standsUntilMs: isPaid && isMirrored && !profile?.heldOutcome ? (untilMs ?? Number.POSITIVE_INFINITY) : 0,
  };
}

/** Whether what was decided cannot have been missed for longer than an interim interval. */
export function isInStep(
  { interimIntervalS }: Pick<PlanRecord, 'interimIntervalS'>,
  mirrorSilentSinceMs: number | null,
  nowMs: number,
): boolean {
  return mirrorSilentSinceMs === null || nowMs - mirrorSilentSinceMs <= interimIntervalS * 1000;
}

/**
 * Never towards unlimited: when what was decided may have been missed for longer than an interim interval, only a restriction
 * that is still in force is known; everybody else gets the lowest FUP speed.
 */
function cautiousFup(profile: FupProfile | undefined, plan: PlanRecord, nowMs: number): FupProfile {
  const stands = profile && (profile.fupUntilMs === null || nowMs < profile.fupUntilMs);
  if (stands && (profile.fupBlocked || profile.fupSpeed)) return profile;
  return { fupSpeed: lowestFupSpeed(plan), fupBlocked: false, fupUntilMs: null };
}

/** While the brake holds a stricter decision back, a login gets what was last applied; a decision that gives more stands. */
function heldBack(decided: Outcome, profile: ProfileRecord | undefined): Outcome {
  const held = profile?.heldOutcome ? parseOutcome(profile.heldOutcome) : undefined;
  return held && isStricter(held, decided) ? held : decided;
}

function replyOf(
  outcome: Outcome,
  plan: PlanRecord,
  subscription: SubscriptionRecord,
  nowMs: number,
  { nas, random }: AuthorizeOptions,
): Reply {
  const told = tellingOf(outcome, plan);
  const rejected = outcome.kind === 'reject';
  const speed = 'speed' in outcome ? outcome.speed : suspendedSpeed(plan);
  const timeoutAtMs = rejected ? null : timeoutAt(plan, subscription, nas, nowMs);
  return {
    speed: rejected ? null : nas.tell(speed),
    addresses: rejected || subscription.addresses.length === 0 ? none : addressAttributes(subscription.addresses),
    sessionTimeoutS: timeoutAtMs === null ? null : secondsUntil(timeoutAtMs, nowMs, random),
    timeoutAtMs,
    interimIntervalS: jittered(plan.interimIntervalS, random),
    outcomeText: told.text,
    outcomeHash: told.hash,
  };
}

const none: readonly never[] = [];

type Telling = { readonly text: string; readonly hash: string };

/** A plan's record never changes, and most logins of a plan get its full speed: that is told the same way each time. */
const fullSpeed = new WeakMap<PlanRecord, Telling>();

function tellingOf(outcome: Outcome, plan: PlanRecord): Telling {
  const isFull = outcome.kind === 'accept' && outcome.speed === plan.speed;
  const known = isFull ? fullSpeed.get(plan) : undefined;
  if (known) return known;
  const text = formatOutcome(outcome);
  const telling = { text, hash: hashOf(text) };
  if (isFull) fullSpeed.set(plan, telling);
  return telling;
}

const hashes = new Map<string, string>();
const hashesAtMost = 10_000;

/** Few outcomes answer many logins: their hashes are remembered. */
function hashOf(outcomeText: string): string {
  const known = hashes.get(outcomeText);
  if (known !== undefined) return known;
  const hash = outcomeHash(outcomeText);
  if (hashes.size >= hashesAtMost) hashes.clear();
  hashes.set(outcomeText, hash);
  return hash;
}

/** What a login is told is the tariff's interval give or take this share of it. */
export const interimSpread = 0.2;

/**
 * Interim reports of sessions that began together do not come together. By a tenth the busiest second of the first round would still have five
 * times the mean.
 */
export function jittered(interimIntervalS: number, random: () => number): number {
  return Math.max(leastInterimS, Math.round(interimIntervalS * (1 - interimSpread + 2 * interimSpread * random())));
}

const leastInterimS = 60;
const hourS = 3600;
const mostJitterS = 600;
const mostTimeoutS = 0x7fff_ffff;

/** The expiry, where it will be a reject; otherwise the wheel changes the session and nobody is cut off. */
function timeoutAt(
  plan: PlanRecord,
  subscription: SubscriptionRecord,
  nas: AuthorizeOptions['nas'],
  nowMs: number,
): number | null {
  const expiryMs = expiryOf(subscription.paidUntilMs, plan.graceMs);
  if (expiryMs === null || expiryMs < nowMs) return null;
  const then = decideAccess(
    { plan, subscription, fup: { kind: 'none', untilMs: null }, feed: noSilence },
    expiryMs + 1,
  );
  return forNas(then.outcome, nas).kind === 'reject' ? expiryMs : null;
}

/**
 * The timeout never passes the expiry, also when the wheel cannot run. With more than an hour left it ends up to ten minutes early, so
 * that a thousand subscribers paid until midnight do not all come back in one second: they log in again at once and are served the
 * remaining minutes. With less left it is exact, so nobody is interrupted twice.
 */
export function secondsUntil(expiryMs: number, nowMs: number, random: () => number): number | null {
  const leftS = Math.floor((expiryMs - nowMs) / 1000);
  if (leftS > mostTimeoutS) return null;
  // Session-Timeout 0 means none to many access servers.
  return Math.max(1, leftS > hourS ? leftS - Math.floor(random() * mostJitterS) : leftS);
}

// Reads everything about one subscription and says what each of its sessions needs; changes nothing.
import { termsOf } from '#aaa-server/network/terms.ts';
import type { EnforcementMode, NasRecord, ProfileRecord, SnapshotReader } from '#aaa-server/subscribers/records.ts';
import { forNas } from '#policy/access/for-nas.ts';
import { formatOutcome, type Outcome, parseOutcome } from '#policy/access/outcome.ts';
import { throttlesOfPlan } from '#policy/access/speeds-of-plan.ts';
import { isForecast, isStricter } from '#policy/enforcement/brake-rule.ts';
import { disconnected, type NextStep, nextStep } from '#policy/enforcement/next-step.ts';
import type { StricterChange } from '#policy/ledger/brake-gate.ts';
import type { Subscriber } from '#policy/ledger/enforcement.ts';
import { keys } from '#policy/ledger/keys.ts';
import type { LookAt } from '#policy/ledger/look.ts';
import type { LiveSession } from '#policy/ledger/types.ts';
import { configuredNas } from '#policy/nas/configured.ts';
import { usageWindows } from '#policy/time.ts';
import { leftAloneUntil, openedInMaintenance } from './after-maintenance.ts';
import type { Decide } from './decide.ts';
import { modeAt } from './nas-mode.ts';

export type SessionNeed = {
  readonly key: string;
  readonly session: LiveSession;
  readonly mode: EnforcementMode;
  /** The outcome as this session's access server can give it. */
  readonly outcome: Outcome;
  /** Text of it. */
  readonly desired: string;
  readonly step: NextStep;
  /** Its login answered something else, as its Class says: that node's mirror did not know the last profile. */
  readonly misled: boolean;
  /** open: it reports. silent: it has not for long. forgotten: and its access server said that it no longer has it. */
  readonly life: 'open' | 'silent' | 'forgotten';
};

export type Assessment = {
  readonly who: Subscriber;
  readonly outcome: Outcome;
  /** The profile to publish, as far as it follows from the decision; `heldOutcome` as last published. */
  readonly profile: ProfileRecord;
  readonly lastProfile: ProfileRecord | null;
  /** When the decision may change by itself. */
  readonly untilMs: number | null;
  readonly sessions: readonly SessionNeed[];
  /** The change that the brake must let through; null when there is none or an operator could foresee it. */
  readonly stricter: StricterChange | null;
  /** What the subscriber has now: what a login goes on answering while the brake holds. Null: only a Disconnect waits for the brake. */
  readonly applied: Outcome | null;
  /** 0: any number of sessions. */
  readonly sessionLimit: number;
  /** A session opened within a window of maintenance that is over: what that would have ended is due. */
  readonly openedInMaintenance: boolean;
};

export type AssessOptions = {
  snapshot: Pick<SnapshotReader, 'tenant' | 'plan' | 'subscription'>;
  decide: Decide;
  look: LookAt;
  /** As the login hashed what it answered. */
  hashOutcome(text: string): string;
  nas(tenantId: number, nasId: number): NasRecord | undefined;
  fallback: boolean;
  /** False: nothing that seems due now was foreseen. */
  clockSteady(): boolean;
};

const leastSilenceMs = 15 * 60_000;
const silentIntervals = 3;

/** Null when the snapshot knows no such subscription: nothing is done to its sessions. */
export async function assess(options: AssessOptions, who: Subscriber, nowMs: number): Promise<Assessment | null> {
  const { snapshot } = options;
  const record = snapshot.subscription(who.tenantId, who.subscriptionId);
  const plan = record && snapshot.plan(who.tenantId, record.planId);
  const tenant = snapshot.tenant(who.tenantId);
  if (!record || !plan || !tenant) return null;
  const windows = usageWindows(nowMs, tenant.timeZone, tenant.weekStart, record.anchorDay);
  const { usage, lastProfile, sessions: open } = await options.look(who, windows);
  const decision = options.decide(tenant, plan, record, usage, nowMs);
  const { outcome } = decision;
  const full: Outcome = { kind: 'accept', speed: plan.speed };
  const held = heldOf(lastProfile);
  const sessions = open.map((session): SessionNeed => {
    const nas = options.nas(session.tenantId, session.nasId);
    const configured = nas && configuredNas(nas);
    const given = configured ? forNas(outcome, configured) : outcome;
    const live = configured?.profile.live ?? 'always';
    const answered = (known: Outcome) => options.hashOutcome(formatOutcome(known)) === session.loginOutcomeHash;
    const login =
      [given, full, ...(held ? [held] : [])].find(answered) ??
      // Elsewhere a change needs not know what there is now.
      (live === 'always' ? undefined : throttlesOfPlan(plan).find(answered));
    const told = {
      ...session.enforcement,
      lastEventAtMs: session.lastEventAtMs,
      login: login ?? null,
      answered: session.loginOutcomeHash !== '',
    };
    const step = nextStep(told, given, { fallback: options.fallback, live });
    const mode = modeAt(tenant.mode, nas, nowMs);
    const isFirst = mode !== 'off' && session.enforcement.desired === '';
    return {
      key: keys.session(session.partition, session.tenantId, session.nasInstance, session.sessionId),
      session,
      mode,
      outcome: given,
      desired: formatOutcome(given),
      step,
      misled: isFirst && session.loginOutcomeHash !== '' && step.kind === 'change',
      life: lifeOf(session, step, plan.interimIntervalS, nowMs),
    };
  });
  const fresh = sessions.filter(({ mode, step }) => mode === 'enforce' && step.kind === 'change' && !step.approved);
  const from = (need: SessionNeed) => (need.step.kind === 'change' ? need.step.from : null) ?? full;
  const stricter = fresh.find((need) => !interrupts(need) && isStricter(from(need), need.outcome));
  const foreseen = options.clockSteady() && isForecast(outcome, { ...record, graceMs: plan.graceMs }, nowMs);
  const unforeseen = stricter && !foreseen ? changeTo(who, outcome) : null;
  const placed = open.map((session) => ({ session, nas: options.nas(session.tenantId, session.nasId) }));
  const leftAloneMs = leftAloneUntil(placed, nowMs);
  const interrupted = fresh.find(interrupts);
  const interruption = interrupted ? interruptionOf(who, interrupted) : null;
  return {
    who,
    outcome,
    profile: { ...who, ...decision.fup, heldOutcome: lastProfile?.heldOutcome ?? null, decidedAtMs: nowMs },
    lastProfile,
    untilMs: leftAloneMs === null ? decision.untilMs : Math.min(leftAloneMs, decision.untilMs ?? leftAloneMs),
    sessions,
    stricter: unforeseen ?? interruption,
    applied: stricter && unforeseen ? from(stricter) : null,
    sessionLimit: termsOf(plan, record).sessionLimit,
    openedInMaintenance: openedInMaintenance(placed, nowMs),
  };
}

/** A Disconnect in place of a change: after a refusal, which the brake let through before, or where nothing else helps. */
function interrupts({ step, outcome }: SessionNeed): boolean {
  return step.kind === 'change' && step.by === 'disconnect' && outcome.kind !== 'reject';
}

function lifeOf(session: LiveSession, step: NextStep, interimIntervalS: number, nowMs: number): SessionNeed['life'] {
  const silenceMs = Math.max(leastSilenceMs, silentIntervals * interimIntervalS * 1000);
  if (nowMs - session.lastEventAtMs <= silenceMs) return 'open';
  const { acked, errorCause } = session.enforcement;
  const ended = acked === disconnected || parseOutcome(acked)?.kind === 'reject';
  return (errorCause === '503' || ended) && step.kind !== 'change' ? 'forgotten' : 'silent';
}

/** The outcome that logins answer while the brake holds. */
export function heldOf(profile: ProfileRecord | null): Outcome | null {
  return parseOutcome(profile?.heldOutcome ?? '') ?? null;
}

/** The change as the brake knows it; the reason is what is counted together, e.g. `throttle:fup`. */
export function changeTo(who: Subscriber, outcome: Outcome): StricterChange {
  const reason = outcome.kind === 'accept' ? 'accept' : `${outcome.kind}:${outcome.reason}`;
  return { subscriptionId: who.subscriptionId, reason, desired: formatOutcome(outcome) };
}

/** Counted for itself, whatever the change was. */
function interruptionOf({ subscriptionId }: Subscriber, { session }: SessionNeed): StricterChange {
  const reason = session.enforcement.errorCause === '' ? 'disconnect:not_live' : 'disconnect:refused';
  return { subscriptionId, reason, desired: disconnected };
}

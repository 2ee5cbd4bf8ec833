// Evaluates subscriptions and brings what differs on its way: profiles published, wheel set, sessions told, all past the brake.

import { mapLimited } from '#ops/runtime/map-limited.ts';
import { formatOutcome } from '#policy/access/outcome.ts';
import { isStricter } from '#policy/enforcement/brake-rule.ts';
import type { BrakeGate, Verdict } from '#policy/ledger/brake-gate.ts';
import { type EnforcementLedger, memberOf, type Subscriber } from '#policy/ledger/enforcement.ts';
import { configuredNas } from '#policy/nas/configured.ts';
import type { Alarms } from './alarms.ts';
import { type Assessment, type AssessOptions, assess, changeTo, heldOf, type SessionNeed } from './assess.ts';
import type { Failures } from './failures.ts';
import type { EnforcementMetrics } from './metrics.ts';
import type { Owned } from './partitions.ts';
import type { Profiles } from './profiles.ts';
import type { Change, Sender } from './sender.ts';
import { countSessions, type SessionCounts } from './session-counts.ts';
import { spreadMs } from './spread.ts';
import { isNamedLikeAnother, surplusChange, surplusIn } from './surplus.ts';
import type { Timer } from './timer.ts';
import { createTurns, type Turn } from './turns.ts';

export type Cause = 'opened' | 'crossed' | 'wheel' | 'changed' | 'sweep' | 'released' | 'probe';

export type Work = {
  readonly who: Subscriber;
  readonly owned: Owned;
  readonly cause: Cause;
  /** Wall clock of the crossing, for the lag. */
  readonly crossedAtMs?: number;
  /** Set when the wheel handed it out: where it stands there until it is scheduled anew. */
  readonly claimedMs?: number;
  /** A session opened: one too many ends the oldest. */
  readonly opened?: boolean;
  /** A login was refused because of the open sessions: are they alive? */
  readonly probe?: boolean;
};

export type Evaluated = {
  /** What could not be finished and must come again. */
  readonly failed: readonly Work[];
  /** With `postpone`: what would make a subscriber stricter and was left for one later question to the brake. */
  readonly postponed: readonly Work[];
  /** The open sessions of those evaluated. */
  readonly sessions: SessionCounts;
};

export type Reconciler = {
  evaluate(works: readonly Work[], options?: { postpone?: boolean }): Promise<Evaluated>;
  /** Looks at the brakes of the tenants seen so far; returns who was released by an operator since the last look. */
  watchBrakes(): Promise<Subscriber[]>;
};

export type ReconcilerOptions = AssessOptions & {
  ledger: EnforcementLedger;
  profiles: Profiles;
  gate: BrakeGate;
  sender: Sender;
  timer: Timer;
  random: () => number;
  metrics: EnforcementMetrics;
  alarms: Alarms;
  failed: Failures;
};

type Assessed = {
  readonly work: Work;
  readonly assessment: Assessment;
  /** Null: somebody else sees to this subscription. */
  readonly turn: Turn | null;
  /** Monotonic, before anything was read. */
  readonly seenMs: number;
};

const atOnce = 64;
/** A session that was told something, or asked, so short a time ago is not asked. */
const askAgainMs = 60_000;

export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { ledger, gate, sender, timer, metrics, alarms } = options;
  /** Tenants with live subscribers, and whether their brake holds, released or dropped anything. */
  const tenants = new Map<number, { touched: boolean }>();
  const turns = createTurns();
  /** Released subscriptions that were handed out already. */
  let releasedBefore = new Set<string>();

  const failure = (step: string, error: unknown) => options.failed(step, error, 'evaluation failed, it comes again');

  async function evaluate(works: readonly Work[], { postpone = false } = {}): Promise<Evaluated> {
    const taken: Turn[] = [];
    try {
      return await evaluateInTurn(works, postpone, taken);
    } finally {
      for (const turn of taken) turns.end(turn);
    }
  }

  async function evaluateInTurn(works: readonly Work[], postpone: boolean, taken: Turn[]): Promise<Evaluated> {
    const failed: Work[] = [];
    const postponed: Work[] = [];
    const assessed = await mapLimited(works, atOnce, async (work): Promise<Assessed | null> => {
      metrics.evaluations.inc({ cause: work.cause });
      const seenMs = timer.monotonicMs();
      const turn = turns.take(memberOf(work.who), postpone);
      if (turn) taken.push(turn);
      try {
        const assessment = await assess(options, work.who, timer.nowMs());
        if (assessment) return { work, assessment, turn, seenMs };
        // Of a subscription that the snapshot does not know nothing is due.
        await ledger.schedule(work.owned.lease, work.who, null, work.claimedMs);
        return null;
      } catch (error) {
        failure('assess', error);
        failed.push(work);
        return null;
      }
    });
    const byTenant = new Map<number, Assessed[]>();
    for (const item of assessed) {
      if (!item?.turn) continue;
      if (postpone && item.assessment.stricter) postponed.push(item.work);
      else if (!byTenant.get(item.work.who.tenantId)?.push(item)) byTenant.set(item.work.who.tenantId, [item]);
    }
    for (const [tenantId, items] of byTenant) {
      try {
        const verdicts = await ask(tenantId, items);
        const waveMs = spreadMs(items.filter(({ assessment }) => assessment.sessions.some(changes)).length);
        await mapLimited(items, atOnce, async (item) => {
          try {
            await apply(item, verdicts.get(item) ?? null, options.random() * waveMs);
          } catch (error) {
            failure('apply', error);
            failed.push(item.work);
          }
        });
      } catch (error) {
        failure('brake', error);
        failed.push(...items.map(({ work }) => work));
      }
    }
    const sessions = countSessions(assessed.flatMap((item) => item?.assessment.sessions ?? []));
    return { failed, postponed, sessions };
  }

  const changes = ({ mode, step }: SessionNeed) => mode === 'enforce' && step.kind === 'change';

  async function ask(tenantId: number, items: readonly Assessed[]): Promise<Map<Assessed, Verdict>> {
    if (!tenants.has(tenantId)) tenants.set(tenantId, { touched: true });
    const asked = items.flatMap((item) => {
      const { stricter } = item.assessment;
      const change = stricter ?? (endsSurplus(item) ? surplusChange(item.work.who) : null);
      return change ? [{ item, change }] : [];
    });
    if (asked.length === 0) return new Map();
    const changes = asked.map(({ change }) => change);
    const { verdicts, opened } = await gate.ask(tenantId, changes, timer.nowMs());
    if (opened) alarms.raise('brake', `tenant ${tenantId}`, { tenantId, brake: opened.id, ...opened });
    const held = verdicts.filter((verdict) => verdict === 'held').length;
    if (held > 0) {
      metrics.held.inc({ tenant: String(tenantId) }, held);
      tenants.set(tenantId, { touched: true });
    }
    return new Map(asked.map(({ item }, index) => [item, verdicts[index] ?? 'held']));
  }

  /** A session opened, now or when nobody could be told, or an operator let through what the brake had held. */
  function endsSurplus({ work, assessment }: Assessed): boolean {
    const due = work.opened || assessment.openedInMaintenance || (work.cause === 'released' && !assessment.stricter);
    return due ? surplusIn(assessment).length > 0 : false;
  }

  async function apply(item: Assessed, verdict: Verdict | null, delayMs: number): Promise<void> {
    const { work, assessment, turn, seenMs } = item;
    const { who, owned } = work;
    const newest = () => turn !== null && turns.isNewest(turn);
    if (!newest() || owned.signal.aborted) return;
    const withheld = verdict === 'held' || verdict === 'dropped';
    const stopped = withheld && assessment.stricter !== null;
    const heldOutcome = await heldOutcomeOf(assessment, stopped);
    const notedMs = new Map<SessionNeed, number>();
    const scheduleAtMs = assessment.sessions.length > 0 ? assessment.untilMs : null;
    await Promise.all([
      options.profiles.publish(
        owned.lease,
        { ...assessment.profile, heldOutcome },
        assessment.lastProfile,
        assessment.sessions.some(({ misled }) => misled),
      ),
      ledger.schedule(owned.lease, who, scheduleAtMs, work.claimedMs),
      ...assessment.sessions.map(async (need) => notedMs.set(need, await note(owned, need))),
    ]);
    if (!newest()) return;
    for (const need of assessment.sessions) {
      if (need.life === 'forgotten' && (await ledger.closeForgotten(owned.lease, need.session))) {
        metrics.closed.inc();
        continue;
      }
      const change = stopped ? null : changeOf(work, need, seenMs, delayMs);
      if (change) sender.push(change);
      else if (work.probe && !stopped) askAlive(work, need);
    }
    if (!withheld && endsSurplus(item)) await endSurplus(work, assessment, notedMs);
  }

  /** Tells the session what it has anyway: an access server that no longer knows it says so. */
  function probeOf(work: Work, { key, session, outcome }: SessionNeed, by: Change['by']): Change {
    // Whoever logs in again and again must not push aside what takes something away.
    const quiet = { from: null, crossedAtMs: null, delayMs: 0, urgent: by === 'disconnect', endsIfGone: true };
    return { sessionKey: key, session, owned: work.owned, desired: outcome, by, ...quiet };
  }

  function askAlive(work: Work, need: SessionNeed): void {
    const told = need.outcome.kind === 'accept' || need.outcome.kind === 'throttle';
    // Where a change takes more than what the session should have, it is not asked.
    const nas = options.nas(need.session.tenantId, need.session.nasId);
    const longAgo = timer.nowMs() - need.session.enforcement.updatedAtMs >= askAgainMs;
    const asks = longAgo && nas !== undefined && configuredNas(nas).profile.live === 'always';
    if (asks && told && need.mode === 'enforce' && sender.newest(need.key) === null)
      sender.push(probeOf(work, need, 'coa'));
  }

  /** The newest login wins: sessions beyond the limit end, the oldest first. */
  async function endSurplus(work: Work, assessment: Assessment, notedMs: Map<SessionNeed, number>): Promise<void> {
    for (const need of surplusIn(assessment)) {
      const { session } = need;
      metrics.surplus.inc();
      const nas = options.nas(session.tenantId, session.nasId);
      if (!nas || !isNamedLikeAnother(need, assessment.sessions, nas)) {
        sender.push(probeOf(work, need, 'disconnect'));
        continue;
      }
      // A Disconnect would end the new one: its access server has one session of this name, and that is the newer.
      const updatedAtMs = notedMs.get(need) ?? session.enforcement.updatedAtMs;
      const told = { ...session, enforcement: { ...session.enforcement, updatedAtMs } };
      if (await ledger.closeForgotten(work.owned.lease, told)) metrics.closed.inc();
    }
  }

  /** What logins answer while the brake holds this subscription; also takes the subscription off the brake when it needs none. */
  async function heldOutcomeOf(assessment: Assessment, stopped: boolean): Promise<string | null> {
    if (stopped) return assessment.applied && formatOutcome(assessment.applied);
    const { who, lastProfile } = assessment;
    // A change that was let through keeps its permission until it is on its way.
    if (assessment.stricter || !tenants.get(who.tenantId)?.touched) return null;
    const held = heldOf(lastProfile);
    if (assessment.sessions.length === 0 && held && isStricter(held, assessment.outcome)) {
      if (await gate.stands(who.tenantId, changeTo(who, assessment.outcome))) return lastProfile?.heldOutcome ?? null;
    }
    // So does one that waits for an operator's word until its sessions have ended.
    if (surplusIn(assessment).length > 0 && (await gate.knows(who.tenantId, surplusChange(who)))) return null;
    await gate.clear(who.tenantId, [who.subscriptionId], timer.nowMs());
    return null;
  }

  /** Records what the session should have, and what it evidently has. @returns when anything was recorded last */
  async function note(owned: Owned, { key, session, mode, desired, step }: SessionNeed): Promise<number> {
    const { enforcement } = session;
    if (mode === 'off') return enforcement.updatedAtMs;
    const known = step.kind === 'change' && step.from ? formatOutcome(step.from) : enforcement.acked;
    const acked = step.kind === 'settled' ? step.acked : known;
    if (enforcement.desired === desired && enforcement.acked === acked) return enforcement.updatedAtMs;
    const cause = enforcement.desired === desired ? {} : { cause: '' };
    const updatedAtMs = timer.nowMs();
    await ledger.record(owned.lease, key, session.incarnation, {
      desired,
      acked,
      ...cause,
      updatedAtMs,
    });
    return updatedAtMs;
  }

  function changeOf(work: Work, need: SessionNeed, seenMs: number, delayMs: number): Change | null {
    const { key, session, mode, outcome, desired, step } = need;
    if (mode !== 'enforce' || step.kind === 'wait' || !sender.ready(key, desired, seenMs)) return null;
    // A session that has what it should have, but is about to be told something older, must be told again.
    if (step.kind === 'settled' && sender.newest(key) === null) return null;
    const by = step.kind === 'change' ? step.by : outcome.kind === 'reject' ? 'disconnect' : 'coa';
    const crossedAtMs = work.crossedAtMs ?? null;
    const from = step.kind === 'change' ? step.from : null;
    // A session nothing is known of most likely has what its login was answered by the same table.
    const urgent = outcome.kind !== 'accept' || (from !== null && isStricter(from, outcome));
    return { sessionKey: key, session, owned: work.owned, desired: outcome, from, by, crossedAtMs, delayMs, urgent };
  }

  return {
    evaluate,
    async watchBrakes() {
      const released: Subscriber[] = [];
      for (const [tenantId, tenant] of tenants) {
        const state = await gate.state(tenantId);
        tenant.touched = state.touched;
        metrics.braking.set({ tenant: String(tenantId) }, state.holding ? 1 : 0);
        released.push(...state.released.map((subscriptionId) => ({ tenantId, subscriptionId })));
      }
      const fresh = released.filter((who) => !releasedBefore.has(memberOf(who)));
      releasedBefore = new Set(released.map(memberOf));
      return fresh;
    },
  };
}

// Brings sessions to their desired outcome: one change at a time each, a newer wish waits for the running one (the ladder of ARCHITECTURE §Enforcement).
import { formatOutcome, type Outcome } from '#policy/access/outcome.ts';
import { causeLabel, reactionTo } from '#policy/enforcement/nak.ts';
import { disconnected } from '#policy/enforcement/next-step.ts';
import type { EnforcementAction } from '#policy/ledger/actions.ts';
import type { EnforcementLedger, RecordResult, SessionRecord } from '#policy/ledger/enforcement.ts';
import type { LiveSession } from '#policy/ledger/types.ts';
import type { Alarms } from './alarms.ts';
import type { CoaAnswer, CoaClient, CoaRequest } from './coa/client.ts';
import type { Disconnects } from './disconnects.ts';
import type { Failures } from './failures.ts';
import type { EnforcementMetrics } from './metrics.ts';
import type { Owned } from './partitions.ts';
import type { Timer } from './timer.ts';

export type Change = {
  readonly sessionKey: string;
  readonly session: LiveSession;
  readonly owned: Owned;
  readonly desired: Outcome;
  /** What the session has now; null when unknown. */
  readonly from: Outcome | null;
  readonly by: 'coa' | 'disconnect';
  /** Wall clock of the crossing that caused it; null when something else did. */
  readonly crossedAtMs: number | null;
  readonly delayMs: number;
  /** It takes something away: until it is made the subscriber has too much. */
  readonly urgent: boolean;
  /** Closed at once when its access server says that it has no such session, unless it was heard of meanwhile. */
  readonly endsIfGone?: boolean;
  /** Asked when its turn has come: false withdraws it. */
  readonly wanted?: () => boolean;
  /**
   * An operator's order, not a wish of enforcement: a newer wish waits for its end instead of replacing it, and nothing but its ACK is
   * recorded: who repeats it, and how often, is for whoever gives the order to say.
   */
  readonly insists?: boolean;
};

/** null: there is no way to tell this access server (no such record, no address); the reason is counted. */
export type RequestBuilder = (
  change: Pick<Change, 'session' | 'desired' | 'from' | 'by'>,
) => CoaRequest | { readonly reason: string };

export type Sender = {
  /** The newest wish that is waiting or under way for the session. */
  newest(sessionKey: string): string | null;
  /**
   * Whether the session may be told something now: not twice the same, and not during the back-off after a failure. `seenMs`
   * (monotonic) is when its state was read: what ended since then is not in it.
   */
  ready(sessionKey: string, desired: string, seenMs: number): boolean;
  push(change: Change): void;
  /** Changes that are waiting or under way. */
  size(): number;
  idle(): Promise<void>;
};

export type SenderOptions = {
  coa: CoaClient;
  ledger: EnforcementLedger;
  build: RequestBuilder;
  /** Whether the session's access server is told anything, at this moment. */
  enforced(session: LiveSession): boolean;
  disconnects: Disconnects;
  timer: Timer;
  random: () => number;
  metrics: EnforcementMetrics;
  alarms: Alarms;
  failed: Failures;
  /** The access server was told, and answered or did not. */
  onAction(action: EnforcementAction): void;
  /** A change failed and is worth another look after `delayMs`. */
  onRetry(change: Change, delayMs: number): void;
  /** Nothing may be sent any more: what is due is looked at again when it may. */
  onWithdrawn(change: Change): void;
};

type Running = {
  current: Change;
  next: Change | null;
  /** What is recorded of what this one was told since the session was read; null: nothing. */
  known: SessionRecord | null;
};
type Failing = { readonly desired: string; readonly attempts: number; readonly notBeforeMs: number };

const firstRetryMs = 30_000;
const longestRetryMs = 15 * 60_000;
/** Reading the state of a subscription takes less. */
const stateReadMs = 60_000;
const rememberLimit = 100_000;

export function createSender(options: SenderOptions): Sender {
  const { coa, ledger, timer, random, metrics } = options;
  const running = new Map<string, Running>();
  const failing = new Map<string, Failing>();
  const ended = new Map<string, { readonly desired: string; readonly atMs: number }>();
  const whenIdle: (() => void)[] = [];

  const record = (change: Change, fields: SessionRecord): Promise<RecordResult> =>
    ledger.record(change.owned.lease, change.sessionKey, change.session.incarnation, {
      updatedAtMs: timer.nowMs(),
      ...fields,
    });

  function backOff(change: Change): void {
    const desired = formatOutcome(change.desired);
    const before = failing.get(change.sessionKey);
    const attempts = before?.desired === desired ? before.attempts + 1 : 1;
    const delayMs = Math.min(longestRetryMs, firstRetryMs * 2 ** (attempts - 1)) * (0.9 + random() * 0.2);
    failing.set(change.sessionKey, { desired, attempts, notBeforeMs: timer.monotonicMs() + delayMs });
    options.onRetry(change, delayMs);
  }

  /** A wish is tried again; an order is not, but what was wished meanwhile may have been taken for the same. */
  function failedOf(change: Change): void {
    if (change.insists) options.onRetry(change, 0);
    else backOff(change);
  }

  function forgetOld(): void {
    const nowMs = timer.monotonicMs();
    for (const [key, { notBeforeMs }] of failing) if (notBeforeMs < nowMs) failing.delete(key);
    for (const [key, { atMs }] of ended) if (atMs < nowMs - stateReadMs) ended.delete(key);
  }

  /** One rung of the ladder; the next one is another evaluation's, past the brake. */
  async function tell(entry: Running): Promise<void> {
    const { current: change } = entry;
    const { by, session } = change;
    const desired = formatOutcome(change.desired);
    const sent = by === 'disconnect' && change.desired.kind !== 'reject' ? disconnected : desired;
    const request = options.build(change);
    const looping =
      by === 'disconnect' && !options.disconnects.take(session, `${change.sessionKey} ${session.incarnation}`);
    if ('reason' in request || looping) {
      alarm(change, 'reason' in request ? request.reason : 'disconnect_loop');
      if (!change.insists) await record(change, { cause: 'unsent' });
      failedOf(change);
      return;
    }
    // Recording also proves that the partition is still ours, right before acting.
    if ((await record(change, change.insists ? {} : { sent, cause: '' })) !== 'ok') return;
    const silenced = () => !options.enforced(session);
    const replaced = () => entry.next !== null && !change.insists;
    const wanted = () => !replaced() && !silenced() && change.wanted?.() !== false;
    const order = { ...request, kind: by, urgent: change.urgent, wanted, silenced };
    const answer = await coa.send(order, change.owned.signal);
    const leftAlone = withdrawn(answer) || silenced();
    if (change.owned.signal.aborted) return;
    if (!withdrawn(answer)) options.onAction(actionOf(change, sent, answer));
    if (!change.insists) entry.known = withdrawn(answer) ? knownBefore(entry) : { sent, cause: '' };
    switch (answer.kind) {
      case 'ack':
        failing.delete(change.sessionKey);
        await record(change, { sent, acked: sent, cause: '' });
        if (change.crossedAtMs !== null) metrics.lag.observe(lagMsOf(change.crossedAtMs) / 1000);
        return;
      case 'timeout':
      case 'unsent':
        if (change.insists) return failedOf(change);
        await record(change, withdrawn(answer) && entry.known ? entry.known : { cause: answer.kind });
        if (!leftAlone) backOff(change);
        else if (!entry.next) options.onWithdrawn(change);
        return;
      case 'nak':
        return refused(change, answer);
    }
    answer satisfies never;
  }

  const lagMsOf = (crossedAtMs: number) => Math.max(0, timer.nowMs() - crossedAtMs);

  function actionOf(change: Change, outcome: string, answer: CoaAnswer): EnforcementAction {
    const { session, by, crossedAtMs } = change;
    const { tenantId, subscriptionId, nasId, userName, sessionId } = session;
    return {
      atMs: timer.nowMs(),
      tenantId,
      subscriptionId,
      nasId,
      userName,
      sessionId,
      by,
      outcome,
      result: answer.kind,
      errorCause: answer.kind === 'nak' ? String(answer.errorCause ?? '') : '',
      lagMs: crossedAtMs === null ? null : lagMsOf(crossedAtMs),
    };
  }

  async function refused(change: Change, answer: CoaAnswer & { kind: 'nak' }): Promise<void> {
    const cause = answer.errorCause === null ? 'nak' : String(answer.errorCause);
    const updatedAtMs = timer.nowMs();
    await record(change, change.insists ? { updatedAtMs } : { cause, updatedAtMs });
    const reaction = reactionTo(cause);
    switch (reaction) {
      case 'stale':
        if (change.endsIfGone) {
          const { session, owned } = change;
          const told = { ...session, enforcement: { ...session.enforcement, updatedAtMs } };
          if (await ledger.closeForgotten(owned.lease, told)) metrics.closed.inc();
          return;
        }
        // Asked once more because the session reports: what names it here and there does not agree.
        if (change.session.enforcement.errorCause === cause) alarm(change, `nak_${causeLabel(answer.errorCause)}`);
        return;
      case 'retry':
        failedOf(change);
        return;
      case 'refused':
        alarm(change, `nak_${causeLabel(answer.errorCause)}`);
        options.onRetry(change, 0);
        return;
    }
    reaction satisfies never;
  }

  function alarm(change: Change, reason: string): void {
    const { tenantId, subscriptionId, nasId, sessionId } = change.session;
    options.alarms.raise(reason, `nas ${nasId}`, { tenantId, subscriptionId, nasId, sessionId });
  }

  async function run(sessionKey: string, entry: Running): Promise<void> {
    for (;;) {
      const change = entry.current;
      try {
        await wait(timer, change.delayMs, change.owned.signal);
        // A newer wish that came during the wait replaces this one before anything was sent.
        if ((!entry.next || change.insists) && !change.owned.signal.aborted) await tell(entry);
      } catch (error) {
        options.failed('send', error, 'change was not recorded, it comes again');
        failedOf(change);
      }
      if (!entry.next) break;
      entry.current = entry.next;
      entry.next = null;
    }
    running.delete(sessionKey);
    if (failing.size + ended.size >= rememberLimit) forgetOld();
    ended.set(sessionKey, { desired: formatOutcome(entry.current.desired), atMs: timer.monotonicMs() });
    if (running.size === 0) for (const resolve of whenIdle.splice(0)) resolve();
  }

  const newest = (sessionKey: string): string | null => {
    const entry = running.get(sessionKey);
    return entry ? formatOutcome((entry.next ?? entry.current).desired) : null;
  };

  return {
    newest,
    ready(sessionKey, desired, seenMs) {
      const wish = newest(sessionKey);
      if (wish !== null) return wish !== desired;
      const last = ended.get(sessionKey);
      if (last && last.atMs >= seenMs && last.desired === desired) return false;
      const failed = failing.get(sessionKey);
      return !failed || failed.desired !== desired || timer.monotonicMs() >= failed.notBeforeMs;
    },
    push(change) {
      const entry = running.get(change.sessionKey);
      if (entry) {
        entry.next = change;
        return;
      }
      const started = { current: change, next: null, known: null };
      running.set(change.sessionKey, started);
      void run(change.sessionKey, started);
    },
    size: () => running.size,
    idle: () => (running.size === 0 ? Promise.resolve() : new Promise((resolve) => whenIdle.push(resolve))),
  };
}

/** Nothing was asked: the wish had gone. */
function withdrawn(answer: CoaAnswer): boolean {
  return answer.kind === 'unsent' && answer.reason === 'withdrawn';
}

/** What was told before a wish that went unsent. The cause of another wish is of no interest any more. */
function knownBefore({ known, current: { session, desired } }: Running): SessionRecord {
  if (known) return known;
  const { desired: recorded, sent, errorCause } = session.enforcement;
  return { sent, cause: recorded === formatOutcome(desired) ? errorCause : '' };
}

function wait(timer: Timer, delayMs: number, signal: AbortSignal): Promise<void> {
  if (delayMs <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = () => {
      cancel();
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const cancel = timer.after(delayMs, finish);
    signal.addEventListener('abort', finish);
  });
}

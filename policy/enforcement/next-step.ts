// What to do about one session: compare the outcome it should have with what its access server confirmed.
import { formatOutcome, type Outcome, parseOutcome } from '../access/outcome.ts';
import type { NasProfile } from '../nas/profile.ts';
import { isRefusal, reactionTo } from './nak.ts';

/** Recorded as `sent` and `acked` when the session was ended because its access server would not change it. */
export const disconnected = 'disconnect';

export type Told = {
  /** Texts of outcomes; '' = none yet. */
  readonly desired: string;
  readonly sent: string;
  readonly acked: string;
  /** Error-Cause of the last NAK, 'timeout', or ''. */
  readonly errorCause: string;
  readonly updatedAtMs: number;
  readonly lastEventAtMs: number;
  /** What its login answered, when known. */
  readonly login: Outcome | null;
  /** We answered its login: where `login` is null, with something that is not known any more, and not what it should have. */
  readonly answered: boolean;
};

export type NextStep =
  /** The session has it. `acked` is what to record as confirmed. */
  | { readonly kind: 'settled'; readonly acked: string }
  /** ending: a Disconnect was confirmed, its Stop comes. stale: the access server does not know it. refused: it will not do it. */
  | { readonly kind: 'wait'; readonly why: 'ending' | 'stale' | 'refused' }
  | {
      readonly kind: 'change';
      readonly by: 'coa' | 'disconnect';
      /** What the session has now; null when unknown. */
      readonly from: Outcome | null;
      /** This change was let through before and only has to be repeated. The Disconnect after a refusal is another one. */
      readonly approved: boolean;
    };

/** A session that still reports this long after its Disconnect was confirmed, or after it was not found, is alive. */
const aliveAfterMs = 60_000;
/** What was refused is tried again when the session still reports so much later: the access server may have been mended. */
const triedAgainAfterMs = 3600_000;

/** `live`: whether its access server changes the speed of a session that is there. */
type Options = { readonly fallback: boolean; readonly live: NasProfile['live'] };

export function nextStep(told: Told, desired: Outcome, options: Options): NextStep {
  const text = formatOutcome(desired);
  const acked = parseOutcome(told.acked);
  if (told.acked === disconnected || acked?.kind === 'reject') {
    const alive = told.lastEventAtMs > told.updatedAtMs + aliveAfterMs;
    if (!alive) return told.acked === text ? { kind: 'settled', acked: text } : { kind: 'wait', why: 'ending' };
    const by = wayTo(desired, null, options.live);
    return { kind: 'change', by, from: null, approved: told.acked === text || told.desired === text };
  }
  const from = acked ?? told.login;
  // What was sent and never answered may have been done: only a refusal proves that it was not.
  const unsure = told.sent !== '' && told.sent !== told.acked && !isRefusal(told.errorCause);
  if (from && formatOutcome(from) === text && !unsure) return { kind: 'settled', acked: text };

  const by = wayTo(desired, from, options.live);
  // Of a session nothing is known of, the full speed is no reason to end it: it may well have it.
  const needless = !from && desired.kind === 'accept';
  if (by === 'disconnect' && needless && !told.answered) return { kind: 'wait', why: 'refused' };
  const unchanged = told.desired === text;
  if (unchanged && told.errorCause !== '') {
    const reaction = reactionTo(told.errorCause);
    const reportedMs = told.lastEventAtMs - told.updatedAtMs;
    if (reaction === 'stale' && reportedMs <= aliveAfterMs) return { kind: 'wait', why: 'stale' };
    if (reaction === 'refused' && reportedMs <= triedAgainAfterMs) {
      const exhausted = by === 'disconnect' || told.sent === disconnected || !options.fallback || needless;
      return exhausted ? { kind: 'wait', why: 'refused' } : { kind: 'change', by: 'disconnect', from, approved: false };
    }
  }
  return { kind: 'change', by, from, approved: unchanged && (told.sent === text || told.sent === disconnected) };
}

/** A change that the access server cannot make is made by the next login: the session is ended. */
function wayTo(desired: Outcome, from: Outcome | null, live: NasProfile['live']): 'coa' | 'disconnect' {
  if (desired.kind === 'reject' || live === 'never') return 'disconnect';
  return live === 'always' || from ? 'coa' : 'disconnect';
}

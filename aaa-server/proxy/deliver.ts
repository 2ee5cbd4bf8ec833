// Brings one accounting record to a home server, as long as it takes: server after server, again and again with pauses, until it is taken or too old.
import type { ServerChoice } from '#policy/proxy/settings.ts';
import type { WaitingRecord } from './accounting-record.ts';
import { sessionOf } from './accounting-record.ts';
import { inTurn } from './choose.ts';
import type { HomePort } from './home-port.ts';
import type { LossReason } from './metrics.ts';
import type { Places } from './places.ts';
import { forwardedAccounting } from './requests.ts';

/** Where the records of a log go now. */
export type Target = {
  readonly homes: readonly HomePort[];
  readonly choice: ServerChoice;
  /** What the User-Name of a record becomes; undefined: it stays. */
  userNameOf(record: WaitingRecord): string | undefined;
};

/** How the records of a log fared when they were sent for the first time. */
export type FirstTries = { taken: number; left: number };

export type DeliverDeps = {
  /** Undefined: nobody wants them (any more). */
  target(): Target | undefined;
  /** Why it is not waited for any longer, or null. */
  lostBecause(record: WaitingRecord): LossReason | null;
  readonly mark: Buffer;
  /** So many are sent for the first time, and again, at a time: those that nobody answers hold up no others. */
  readonly places: { readonly first: Places; readonly again: Places };
  /** Of all records of the log. */
  readonly firstTries: FirstTries;
  /** So many rounds of all servers have left this one unanswered. */
  unanswered(rounds: number): void;
  nowMs(): number;
  readonly pauses: Pauses;
  /** Sooner when it is stopped. */
  pause(ms: number): Promise<void>;
  /** Settles when a server may be asked again, or after ten seconds. */
  somebody(): Promise<void>;
  stopping(): boolean;
};

export type Delivered = 'forwarded' | 'stopped' | LossReason;

/** Between two rounds; each is twice as long as the one before. */
export type Pauses = { readonly firstMs: number; readonly longestMs: number };

export const usualPauses: Pauses = { firstMs: 500, longestMs: 10_000 };
/** With the usual pauses between them more than a minute. */
const mostRefusals = 10;
/** Of fewer first tries nothing is concluded. */
const leastTries = 20;

/**
 * A record is given up when it is too old, or `refused`: its servers took the greater part of twenty others or more that they were sent
 * for the first time meanwhile, ten times over, and not this. While they take little or nothing, they are away or overloaded, and it is kept.
 */
export async function deliver(deps: DeliverDeps, record: WaitingRecord): Promise<Delivered> {
  const { firstTries, pauses } = deps;
  let rounds = 0;
  let refusals = 0;
  let before: FirstTries | undefined;
  for (let pauseMs = pauses.firstMs; ; pauseMs = Math.min(2 * pauseMs, pauses.longestMs)) {
    if (deps.stopping()) return 'stopped';
    const outcome = await askAll(deps, record, rounds === 0);
    if (outcome === 'stopped' || outcome === 'too_long') return outcome;
    if (outcome === 'answered') {
      if (rounds === 0) firstTries.taken++;
      return 'forwarded';
    }
    if (outcome === 'silent') {
      if (++rounds === 1) firstTries.left++;
      deps.unanswered(rounds);
    }
    // Only what nobody takes is given up: a server that is back gets all that is still there.
    const reason = deps.lostBecause(record);
    if (reason) return reason;
    if (outcome === 'nobody') {
      await deps.somebody();
      pauseMs = pauses.firstMs;
    } else await deps.pause(pauseMs);
    before ??= { ...firstTries };
    const [taken, left] = [firstTries.taken - before.taken, firstTries.left - before.left];
    if (outcome !== 'silent' || taken + left < leastTries) continue;
    before = { ...firstTries };
    if (taken >= left && ++refusals === mostRefusals) return 'refused';
  }
}

type Round = 'answered' | 'silent' | 'full' | 'too_long' | 'nobody' | 'stopped';

/** One server after the other. `silent`: every one of them was asked and none answered. */
async function askAll(deps: DeliverDeps, record: WaitingRecord, isFirst: boolean): Promise<Round> {
  const places = isFirst ? deps.places.first : deps.places.again;
  await places.take();
  try {
    const target = deps.target();
    const homes = target ? inTurn(target.homes, target.choice, () => sessionOf(record)) : [];
    let outcome: Round = homes.length > 0 ? 'silent' : 'nobody';
    for (const home of homes) {
      if (deps.stopping()) return 'stopped';
      const answer = await askOnce(deps, home, record, target?.userNameOf(record));
      if (answer === 'answered' || answer === 'too_long') return answer;
      if (answer === 'full') outcome = 'full';
    }
    return outcome;
  } finally {
    places.leave();
  }
}

function askOnce(
  { mark, nowMs }: DeliverDeps,
  home: HomePort,
  record: WaitingRecord,
  userName: string | undefined,
): Promise<'answered' | 'silent' | 'full' | 'too_long'> {
  return new Promise((resolve) => {
    const heldMs = nowMs() - record.receivedAtMs;
    const asked = home.ask(
      (identifier) => forwardedAccounting(record.packet, heldMs, { identifier, secret: home.secret, mark, userName }),
      { reply: () => resolve('answered'), silent: () => resolve('silent') },
    );
    if (typeof asked === 'string') resolve(asked);
  });
}

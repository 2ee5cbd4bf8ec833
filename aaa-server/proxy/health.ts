// Whether a port of a home server answers: alive → zombie → dead and back, as RFC 3539 §3.4 has it, with Status-Server (RFC 5997) where it is spoken.
import type { HealthCheck } from '#policy/proxy/settings.ts';

export const serverStates = ['alive', 'zombie', 'dead'] as const;
/** zombie: it left a request unanswered and nothing came since; it is asked only when none is alive. dead: it is not asked. */
export type ServerState = (typeof serverStates)[number];

export type HealthTimings = {
  /** Between two Status-Servers that go unanswered. */
  readonly probeEveryMs: number;
  /** Between two that are answered, until it is alive again. */
  readonly confirmEveryMs: number;
  /** So long a zombie may stay silent. */
  readonly deadAfterMs: number;
  /** Where there is no Status-Server, a dead one is tried again after this long. */
  readonly reviveMs: number;
  /** Answers in a row that bring a dead one back. */
  readonly answersToRevive: number;
};

export const usualTimings: HealthTimings = {
  probeEveryMs: 3000,
  confirmEveryMs: 500,
  deadAfterMs: 12_000,
  reviveMs: 60_000,
  answersToRevive: 3,
};

export type HealthDeps = {
  readonly check: HealthCheck;
  readonly timings: HealthTimings;
  monotonicMs(): number;
  /** setTimeout; the answer cancels it. */
  after(ms: number, callback: () => void): () => void;
  /** Sends a Status-Server; `done` says whether it was answered in time. */
  probe(done: (answered: boolean) => void): void;
  onState(state: ServerState): void;
};

export type Health = {
  state(): ServerState;
  /** A reply came that is provably its. */
  heard(): void;
  /** A request sent at that instant was given up. */
  silent(sentAtMs: number): void;
  stop(): void;
};

export function createHealth({ check, timings, monotonicMs, after, probe, onState }: HealthDeps): Health {
  let state: ServerState = 'alive';
  let heardAtMs = Number.NEGATIVE_INFINITY;
  let sinceMs = 0;
  let answers = 0;
  let stopped = false;
  let cancel = () => {};

  function become(next: ServerState): void {
    if (stopped || state === next) return;
    state = next;
    sinceMs = monotonicMs();
    answers = 0;
    cancel();
    onState(next);
    if (next !== 'alive') look();
  }

  function look(): void {
    if (stopped || state === 'alive') return;
    const leftMs = sinceMs + timings.deadAfterMs - monotonicMs();
    if (state === 'zombie' && leftMs <= 0) {
      become('dead');
      return;
    }
    if (check === 'none') {
      cancel = state === 'zombie' ? after(leftMs, look) : after(timings.reviveMs, () => become('alive'));
      return;
    }
    const asked = state;
    probe((answered) => {
      if (stopped || state !== asked) return;
      answers = answered ? answers + 1 : 0;
      if (answers >= timings.answersToRevive) become('alive');
      else cancel = after(answered ? timings.confirmEveryMs : timings.probeEveryMs, look);
    });
  }

  return {
    state: () => state,
    heard() {
      heardAtMs = monotonicMs();
      if (state === 'zombie') become('alive');
    },
    silent(sentAtMs) {
      if (state === 'alive' && heardAtMs < sentAtMs) become('zombie');
    },
    stop() {
      stopped = true;
      cancel();
    },
  };
}

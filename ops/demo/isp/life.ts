// The life of a simulated access server: it fails with its last records on their way, is silent, says that it is back, and serves.
import { between, type Random } from '../random.ts';

/**
 * draining: it fails; what it has sent is still answered. booting: it says that it is back (Accounting-On) and takes nobody yet.
 * closing: the end of the run, sessions are stopped properly.
 */
export type Phase = 'booting' | 'up' | 'draining' | 'down' | 'closing';

export type Life = {
  phase(): Phase;
  reboot(): void;
  /** False when it was closing already. */
  close(): boolean;
  advance(nowMs: number): void;
};

export type LifeDeps = {
  readonly random: Random;
  nowMs(): number;
  /** Whether records wait for their answers. */
  waiting(): boolean;
  loseEverything(): void;
  /** Sends Accounting-On (RFC 2866 §5.1) about `eventS` and calls back when it is acknowledged. */
  announce(eventS: number, acknowledged: () => void): void;
};

const drainMs = 5000;
const downMs = { from: 2500, to: 4000 };

export function createLife({ random, nowMs, waiting, loseEverything, announce }: LifeDeps): Life {
  let phase: Phase = 'down';
  let untilMs = 0;

  /** Nobody logs in before the second after the boot: what happens within the same second counts as before it. */
  function boot(): void {
    const eventS = Math.floor(nowMs() / 1000);
    phase = 'booting';
    untilMs = Number.POSITIVE_INFINITY;
    announce(eventS, () => {
      untilMs = (eventS + 1) * 1000;
    });
  }

  return {
    phase: () => phase,
    reboot() {
      if (phase !== 'up') return;
      phase = 'draining';
      untilMs = nowMs() + drainMs;
    },
    close() {
      if (phase === 'closing') return false;
      phase = 'closing';
      return true;
    },
    advance(atMs) {
      if (phase === 'draining' && (!waiting() || atMs >= untilMs)) {
        loseEverything();
        phase = 'down';
        untilMs = atMs + between(random, downMs.from, downMs.to);
      } else if (phase === 'down' && atMs >= untilMs) boot();
      else if (phase === 'booting' && atMs >= untilMs) phase = 'up';
    },
  };
}

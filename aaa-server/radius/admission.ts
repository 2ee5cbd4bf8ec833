// Which logins are let in when more come than can be answered: those that go on with one begun (State) first (RFC 5080 §2.2.3).

/** What waits in front of the sockets of this thread. */
export type Backlog = { readonly bytes: number; readonly limitBytes: number };

export type Admission = {
  /**
   * Whether an Access-Request is worked on; one that is not is dropped before its proof is computed. `goesOn` is asked only in a flood:
   * is it part of a login that was begun?
   */
  admits(monotonicMs: number, goesOn: () => boolean): boolean;
  /** Share of new logins that is let in, 1 when nothing waits. */
  share(): number;
};

export type AdmissionOptions = {
  /** Share of the time since it was last asked in which this thread was busy, in [0, 1]. */
  busy(): number;
  /** Asked only of a busy thread. Undefined where it cannot be known. */
  backlog(): Backlog | undefined;
};

const sampleMs = 50;
/** A thread below it catches up by itself. */
const fullyBusy = 0.97;
/** An access server gives up on an answer after one to five seconds, and what waits is answered in order. */
const longestWaitMs = 200;
/** Above it the kernel is about to drop whatever comes next, accounting and State too. */
const fullBuffer = 0.6;
/** Never all: a login that is turned away each time would never begin. */
const leastShare = 0.05;
/** Of a small datagram in the kernel, which counts its own overhead. */
const bytesPerDatagram = 768;

/**
 * Accounting has sockets of its own and is never asked about, so it gets what is saved. Nothing is measured while the thread has time to
 * spare: one look at a clock per 50 ms of packets.
 */
export function createAdmission({ busy, backlog }: AdmissionOptions): Admission {
  let share = 1;
  let credit = 0;
  let handled = 0;
  let sampledAtMs = Number.NEGATIVE_INFINITY;
  let wasBehind = false;

  function isBehind(spanMs: number): boolean {
    // Always asked: what it tells is since the last time.
    const isBusy = busy() >= fullyBusy;
    if (!isBusy) return false;
    const waiting = backlog();
    if (!waiting || waiting.limitBytes === 0) return false;
    const perMs = Math.max(handled, 1) / spanMs;
    const waitMs = waiting.bytes / bytesPerDatagram / perMs;
    return waitMs > longestWaitMs || waiting.bytes / waiting.limitBytes > fullBuffer;
  }

  function sample(nowMs: number): void {
    const spanMs = Math.min(nowMs - sampledAtMs, 10_000);
    const behind = isBehind(Math.max(spanMs, 1));
    // Twice in a row: a burst after a rest, or code that runs for the first time, looks like a flood for one sample.
    share = behind && wasBehind ? Math.max(leastShare, share * 0.7) : behind ? share : Math.min(1, share + 0.1);
    wasBehind = behind;
    sampledAtMs = nowMs;
    handled = 0;
  }

  return {
    share: () => share,
    admits(nowMs, goesOn) {
      if (nowMs - sampledAtMs >= sampleMs) sample(nowMs);
      handled++;
      if (share === 1 || goesOn()) return true;
      // Evenly spread, not by chance: a burst of one device is thinned like everybody's.
      credit += share;
      if (credit < 1) return false;
      credit -= 1;
      return true;
    },
  };
}

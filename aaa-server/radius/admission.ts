// Which logins are let in when more come than can be answered: what goes on or was asked before first (RFC 5080 §2.2.3), and no more than in time.

/** What waits in front of the sockets of this thread. */
export type Backlog = { readonly bytes: number; readonly limitBytes: number };

/** What an Access-Request is part of; asked only in a flood. */
export type Standing = {
  /** Of a login that was begun (State). */
  goesOn(): boolean;
  /** The repetition of one that is being worked on, or was answered: next to no work. */
  isRepeated(): boolean;
};

export type Admission = {
  /**
   * Whether an Access-Request is worked on; one that is not is dropped before anything is looked up. The Message-Authenticators of what came
   * together are computed by then, four at a time.
   */
  admits(monotonicMs: number, standing: Standing): boolean;
  /** Share of new logins that is let in, 1 when nothing waits. */
  share(): number;
  /** Right now more logins come than are let in: what can wait should. */
  isFlooded(monotonicMs: number): boolean;
};

export type AdmissionOptions = {
  /** Share of the time since it was last asked in which this thread was busy, in [0, 1]. */
  busy(): number;
  /** Asked only of a busy thread. Undefined where it cannot be known. */
  backlog(): Backlog | undefined;
};

const sampleMs = 50;
/** After so long without a login there is no flood any more. */
const floodEndsMs = 4 * sampleMs;
/** Logins a millisecond that nobody answers: where the pace is not known yet. */
const unhurried = 1000;
/** A thread below it catches up by itself. */
const fullyBusy = 0.97;
/**
 * Access servers ask again after one to five seconds, in step after a power cut, and give up after the third time. What is answered within this is
 * answered before that, and lasts until the others ask again: with less this thread would wait for them with nothing to do.
 */
const longestWaitMs = 2000;
/** Above it the kernel is about to drop whatever comes next, what goes on too. */
const fullBuffer = 0.6;
/** Never all: a login that is turned away each time would never begin. */
const leastShare = 0.05;
/** Of a small datagram in the kernel, which counts its own overhead. */
const bytesPerDatagram = 768;

/**
 * Of what waits, as much is let in as is answered in time, and the rest is dropped quickly: less would leave this thread idle until the
 * access servers ask again, seconds later. Only where logins go on in many rounds (EAP) room is kept for them in the buffer as well.
 * Accounting has sockets of its own and is never asked about. Nothing is measured while the thread has time to spare: one look at a
 * clock per 50 ms of packets.
 */
export function createAdmission({ busy, backlog }: AdmissionOptions): Admission {
  let inTime = 1;
  let room = 1;
  let perMs = unhurried;
  let credit = 0;
  let worked = 0;
  let wentOn = 0;
  /** Some logins go on; until a flood has shown that none does, they are taken to. */
  let keepsRoom = true;
  let sampledAtMs = Number.NEGATIVE_INFINITY;

  const share = () => Math.max(leastShare, Math.min(inTime, room));

  function sample(nowMs: number): void {
    const spanMs = Math.max(1, nowMs - sampledAtMs);
    const waiting = waitingNow();
    if (share() < 1) keepsRoom = wentOn > 0;
    else if (!waiting) keepsRoom = true;
    const isFull = waiting !== undefined && waiting.bytes / waiting.limitBytes > fullBuffer;
    room = isFull && keepsRoom ? Math.max(leastShare, room * 0.7) : Math.min(1, room + 0.1);
    // What holds this thread up once, or a span in which nothing came, says little of the pace.
    perMs = Math.max(worked / spanMs, perMs / 2);
    inTime = waiting ? (perMs * longestWaitMs * bytesPerDatagram) / Math.max(1, waiting.bytes) : 1;
    if (!waiting) perMs = unhurried;
    sampledAtMs = nowMs;
    worked = 0;
    wentOn = 0;
  }

  /** Undefined while this thread catches up by itself. */
  function waitingNow(): Backlog | undefined {
    // Always asked: what it tells is since the last time.
    const isBusy = busy() >= fullyBusy;
    const waiting = isBusy ? backlog() : undefined;
    return waiting && waiting.limitBytes > 0 ? waiting : undefined;
  }

  function admits(standing: Standing): boolean {
    const now = share();
    if (now === 1) return true;
    if (standing.goesOn()) {
      wentOn++;
      return true;
    }
    if (standing.isRepeated()) return true;
    // Evenly spread, not by chance: a burst of one device is thinned like everybody's.
    credit += now;
    if (credit < 1) return false;
    credit -= 1;
    return true;
  }

  return {
    share,
    isFlooded: (nowMs) => share() < 1 && nowMs - sampledAtMs < floodEndsMs,
    admits(nowMs, standing) {
      if (nowMs - sampledAtMs >= sampleMs) sample(nowMs);
      const admitted = admits(standing);
      if (admitted) worked++;
      return admitted;
    },
  };
}

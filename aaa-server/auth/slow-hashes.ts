// Passwords stored by a hash that is slow on purpose (crypt(3), Argon2): checked off the event loop, one at a time, tenants in turn.
import { argon2, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '#ops/runtime/clock.ts';
import type { Crypt } from '#ops/runtime/crypt.ts';
import { slowHashPatienceMs } from '#policy/access/login-patience.ts';
import { parseArgon2, storedValueProblem } from '#policy/credentials/stored-value.ts';
import { sameOctets } from './same-octets.ts';
import { createTurns } from './turns.ts';

export type SlowScheme = 'crypt' | 'argon2';

/**
 * busy: too many wait, or it waited until the access server gave up; unavailable: it is none that may be stored, or this system has no such
 * function; unreadable: the function refuses it.
 */
export type SlowResult = 'right' | 'wrong' | 'busy' | 'unavailable' | 'unreadable';

/** `known`: the name has a user of its own; hashes that only take the time of one come after all others. */
export type Asker = { readonly tenantId: number; readonly userName: string; readonly known: boolean };

export type SlowHashes = {
  /**
   * Keeps both buffers. `onRight` is called when the hash was computed and is right, also when whoever asked was told `busy` before: they
   * ask again.
   */
  check(asker: Asker, scheme: SlowScheme, stored: Buffer, offered: Buffer, onRight?: () => void): Promise<SlowResult>;
  waiting(): number;
};

export type SlowHashesOptions = {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** A text: why there is none. */
  readonly crypt: Crypt | string;
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
  /** More logins come than can be answered: hundreds of them are answered in the time of one hash, which waits for a moment. */
  isFlooded?(): boolean;
  /** setTimeout, or a fake one. */
  later?(callback: () => void, ms: number): void;
  /** How many of one tenant wait at most, of known users and of others. */
  readonly capacity?: number;
  /**
   * After this long an access server has given up: it asks three times, each time after three to five seconds at most. The hash of a known
   * user keeps its place all the same: who dials again finds it proven, or waits on where it was. If it began anew at the end, others would
   * pass it, and nothing were computed while the devices pause.
   */
  readonly patienceMs?: number;
  /** After this long without being asked for again nobody is expected to: devices pause for a minute at most. */
  readonly keptMs?: number;
};

/** In a flood hashes are never put off for longer, one after the other. */
const mostPutOffMs = 250;
const lookAgainMs = 50;

type Waiting = {
  /** When it was asked for last. */
  sinceMs: number;
  readonly start: () => Promise<SlowResult>;
  readonly settle: (result: SlowResult) => void;
  /** Null while nobody waits for it: they were told. */
  answer: PromiseWithResolvers<SlowResult> | null;
};

export function createSlowHashes(options: SlowHashesOptions): SlowHashes {
  const {
    clock,
    crypt,
    warn,
    isFlooded = () => false,
    later,
    capacity = 512,
    patienceMs = slowHashPatienceMs,
    keptMs = 90_000,
  } = options;
  const known = createTurns<Waiting>(capacity);
  const unknown = createTurns<Waiting>(capacity);
  /** What waits or is computed, by who asks for what: an access server that asks anew, or another one, waits for the same hash. */
  const underWay = new Map<string, Waiting>();
  const nameKey = randomBytes(32);
  let running = false;

  // One at a time: the threads of the pool also write the log of accounting.
  async function run(): Promise<void> {
    running = true;
    for (let next = takeNext(); next; next = takeNext()) {
      next.settle(await next.start().catch(failed));
      if (isFlooded()) await putOff();
    }
    running = false;
  }

  async function putOff(): Promise<void> {
    if (!later) return;
    for (let waitedMs = 0; waitedMs < mostPutOffMs && isFlooded(); waitedMs += lookAgainMs) {
      await new Promise<void>((resolve) => later(resolve, lookAgainMs));
    }
  }

  function takeNext(): Waiting | undefined {
    const nowMs = clock.monotonicMs();
    for (const waiting of underWay.values()) {
      if (nowMs - waiting.sinceMs > patienceMs) tellBusy(waiting);
    }
    const notAskedFor = (longestMs: number) => (waiting: Waiting) => nowMs - waiting.sinceMs > longestMs;
    // Of nobody's password nothing is remembered that could be of use later.
    const over = [...known.drop(notAskedFor(keptMs)), ...unknown.drop(notAskedFor(patienceMs))];
    for (const waiting of over) waiting.settle('busy');
    return known.next() ?? unknown.next();
  }

  function tellBusy(waiting: Waiting): void {
    waiting.answer?.resolve('busy');
    waiting.answer = null;
  }

  function failed(error: unknown): SlowResult {
    warn('a password hash could not be computed', { err: error });
    return 'unavailable';
  }

  async function checkCrypt(stored: Buffer, offered: Buffer): Promise<SlowResult> {
    if (typeof crypt === 'string') {
      warn('passwords of scheme crypt cannot be checked here', { reason: crypt });
      return 'unavailable';
    }
    // To crypt(3) a NUL ends the password.
    if (offered.includes(0)) return 'wrong';
    const computed = await crypt.hash(offered, stored);
    if (computed === null) return 'unreadable';
    const octets = Buffer.from(computed);
    return octets.length === stored.length && timingSafeEqual(octets, stored) ? 'right' : 'wrong';
  }

  /** Of one name only: two that shared a hash because neither is anybody's would be answered at once, and so tell it. */
  function nameOf(asker: Asker, scheme: SlowScheme, stored: Buffer, offered: Buffer): string {
    const name = Buffer.from(asker.userName);
    const head = `${asker.tenantId} ${asker.known} ${scheme} ${stored.length} ${name.length} `;
    return createHmac('sha256', nameKey).update(head).update(stored).update(name).update(offered).digest('base64');
  }

  return {
    waiting: () => known.size() + unknown.size(),
    check(asker, scheme, stored, offered, onRight) {
      // Whoever wrote it: it is not computed at any cost.
      const problem = storedValueProblem(scheme, stored.toString('latin1'));
      if (problem) {
        warn('a stored password hash is none that is computed here', { scheme, problem });
        return Promise.resolve('unavailable');
      }
      const name = nameOf(asker, scheme, stored, offered);
      const same = underWay.get(name);
      if (same) {
        same.sinceMs = clock.monotonicMs();
        same.answer ??= Promise.withResolvers();
        return same.answer.promise;
      }
      const answer = Promise.withResolvers<SlowResult>();
      const start = () => (scheme === 'crypt' ? checkCrypt(stored, offered) : checkArgon2(stored, offered));
      const settle = (result: SlowResult) => {
        underWay.delete(name);
        if (result === 'right') onRight?.();
        waiting.answer?.resolve(result);
      };
      const waiting: Waiting = { sinceMs: clock.monotonicMs(), start, settle, answer };
      if (!(asker.known ? known : unknown).add(asker.tenantId, waiting)) return Promise.resolve('busy');
      underWay.set(name, waiting);
      if (!running) void run();
      return answer.promise;
    },
  };
}

function checkArgon2(stored: Buffer, offered: Buffer): Promise<SlowResult> {
  const parts = parseArgon2(stored.toString('latin1'));
  if (!parts) return Promise.resolve('unreadable');
  const tag = Buffer.from(parts.tag, 'base64');
  return new Promise((resolve, reject) => {
    argon2(
      `argon2${parts.variant}`,
      {
        message: offered,
        nonce: Buffer.from(parts.salt, 'base64'),
        parallelism: parts.lanes,
        tagLength: tag.length,
        memory: parts.memoryKib,
        passes: parts.passes,
      },
      (error, computed) => {
        if (error) reject(error);
        else resolve(sameOctets(computed, tag) ? 'right' : 'wrong');
      },
    );
  });
}

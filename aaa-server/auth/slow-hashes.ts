// Passwords stored by a hash that is slow on purpose (crypt(3), Argon2): checked off the event loop, one at a time, in a bounded queue.
import { argon2, timingSafeEqual } from 'node:crypto';
import type { Clock } from '#ops/runtime/clock.ts';
import type { Crypt } from '#ops/runtime/crypt.ts';
import { parseArgon2, storedValueProblem } from '#policy/credentials/stored-value.ts';
import { sameOctets } from './same-octets.ts';

export type SlowScheme = 'crypt' | 'argon2';

/**
 * busy: too many wait, or it waited too long; unavailable: it is none that may be stored, or this system has no such function; unreadable: the
 * function refuses it.
 */
export type SlowResult = 'right' | 'wrong' | 'busy' | 'unavailable' | 'unreadable';

export type SlowHashes = {
  /** Keeps both buffers until it settles. */
  check(scheme: SlowScheme, stored: Buffer, offered: Buffer): Promise<SlowResult>;
  waiting(): number;
};

export type SlowHashesOptions = {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** A text: why there is none. */
  readonly crypt: Crypt | string;
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
  readonly capacity?: number;
  /** After this long an access server has asked another one. */
  readonly patienceMs?: number;
};

type Waiting = {
  readonly sinceMs: number;
  readonly start: () => Promise<SlowResult>;
  settle(result: SlowResult): void;
};

export function createSlowHashes(options: SlowHashesOptions): SlowHashes {
  const { clock, crypt, warn, capacity = 4096, patienceMs = 3000 } = options;
  let queue: Waiting[] = [];
  let head = 0;
  let running = false;

  // One at a time: the threads of the pool also write the log of accounting.
  async function run(): Promise<void> {
    running = true;
    for (let next = queue[head]; next; next = queue[head]) {
      head++;
      if (head > 1024) {
        queue = queue.slice(head);
        head = 0;
      }
      if (clock.monotonicMs() - next.sinceMs > patienceMs) next.settle('busy');
      else next.settle(await next.start().catch(failed));
    }
    queue = [];
    head = 0;
    running = false;
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

  return {
    waiting: () => queue.length - head,
    check(scheme, stored, offered) {
      // Whoever wrote it: it is not computed at any cost.
      const problem = storedValueProblem(scheme, stored.toString('latin1'));
      if (problem) {
        warn('a stored password hash is none that is computed here', { scheme, problem });
        return Promise.resolve('unavailable');
      }
      if (queue.length - head >= capacity) return Promise.resolve('busy');
      return new Promise((settle) => {
        const start = () => (scheme === 'crypt' ? checkCrypt(stored, offered) : checkArgon2(stored, offered));
        queue.push({ sinceMs: clock.monotonicMs(), start, settle });
        if (!running) void run();
      });
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

// Waits for a condition with a deadline, instead of sleeping and hoping.
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '#ops/runtime/errors.ts';

/**
 * Resolves with the first truthy answer of `condition`, asked every `everyMs`; an error counts as not yet.
 * @throws after `timeoutMs`, saying what was waited for and the last answer or error.
 */
export async function until<T>(
  condition: () => Promise<T> | T,
  what: string | (() => string),
  timeoutMs = 5000,
  everyMs = 10,
): Promise<Exclude<T, false | null | undefined | 0 | ''>> {
  const deadline = performance.now() + timeoutMs;
  let last = '';
  for (;;) {
    try {
      const answer = await condition();
      if (answer) return answer as Exclude<T, false | null | undefined | 0 | ''>;
      last = `last answer ${String(answer)}`;
    } catch (error) {
      last = `last error ${messageOf(error)}`;
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${timeoutMs} ms in vain until ${typeof what === 'string' ? what : what()} (${last})`);
    }
    await delay(everyMs);
  }
}

// Whether a process that was started anew is as ready as the one before it: what /readyz complains about, before and after.
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '#ops/runtime/errors.ts';

/** Check → what is wrong. */
export type Failing = ReadonlyMap<string, string>;

/** Undefined when no answer came in time: the machine has much to do, and that says nothing of the process. */
export async function failingChecks(url: string): Promise<Failing | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
    if (response.ok) return new Map();
    const { checks } = (await response.json()) as { checks?: Record<string, string> };
    const failing = Object.entries(checks ?? {}).filter(([, answer]) => answer !== 'ok');
    return new Map(failing.length > 0 ? failing : [['readiness', `HTTP status ${response.status}`]]);
  } catch (error) {
    if (error instanceof Error && error.name === 'TimeoutError') return undefined;
    return new Map([['admin port', messageOf(error instanceof Error && error.cause ? error.cause : error)]]);
  }
}

/** What fails in the process that runs. Of one that says nothing, asked twice, nothing is known to fail: its successor has to be all right. */
export async function failingBefore(url: string): Promise<Failing> {
  return (await failingChecks(url)) ?? (await failingChecks(url)) ?? new Map();
}

/** Resolves when nothing fails that did not fail before; throws with what does after `withinMs`. */
export async function provesReady(url: string, before: Failing, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const failing = await failingChecks(url);
    const news = [...(failing ?? [])].filter(([check]) => !before.has(check));
    if (failing && news.length === 0) return;
    if (performance.now() > deadline) {
      if (!failing) return;
      throw new Error(news.map(([check, wrong]) => `${check}: ${wrong}`).join('; '));
    }
    await delay(50);
  }
}

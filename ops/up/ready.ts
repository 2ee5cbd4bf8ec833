// Waits until a process says on /readyz that it serves.
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '#ops/runtime/errors.ts';

export type WaitReadyOptions = {
  name: string;
  url: string;
  say(line: string): void;
  signal: AbortSignal;
  /** How often what is missing is told; default 10 s. */
  tellEveryMs?: number;
};

/** Resolves with false only when the signal ends the wait. */
export async function waitReady({ name, url, say, signal, tellEveryMs = 10_000 }: WaitReadyOptions): Promise<boolean> {
  let told = performance.now();
  while (!signal.aborted) {
    const missing = await problemAt(url);
    if (missing === undefined) return true;
    if (performance.now() - told >= tellEveryMs) {
      told = performance.now();
      say(`waiting for ${name}: ${missing}`);
    }
    await delay(100);
  }
  return false;
}

/** An address that a client on this machine can use for a listener bound to `host`. */
export function reachableHost(host: string | undefined): string {
  if (host === undefined || host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

async function problemAt(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
    if (response.ok) return undefined;
    const body = await response.text();
    return checksIn(body) ?? `${response.status} ${body.slice(0, 200)}`;
  } catch (error) {
    return messageOf(error instanceof Error && error.cause ? error.cause : error);
  }
}

function checksIn(body: string): string | undefined {
  try {
    const { checks } = JSON.parse(body) as { checks?: Record<string, string> };
    const failing = Object.entries(checks ?? {}).filter(([, answer]) => answer !== 'ok');
    return failing.length > 0 ? failing.map(([name, answer]) => `${name}: ${answer}`).join('; ') : undefined;
  } catch {
    return undefined; // Another kind of answer: shown as it is.
  }
}

// A clock of tests that moves when told, and runs what falls due on the way.
import type { Timer } from '#aaa-server/enforcement/timer.ts';

export type FakeTimer = Timer & { advance(ms: number): void; pending(): number };

export function fakeTimer(startMs = Date.UTC(2026, 10, 21, 12)): FakeTimer {
  let elapsedMs = 0;
  let due: { atMs: number; action: () => void }[] = [];
  return {
    nowMs: () => startMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    pending: () => due.length,
    after(delayMs, action) {
      const entry = { atMs: elapsedMs + delayMs, action };
      due.push(entry);
      return () => {
        due = due.filter((other) => other !== entry);
      };
    },
    advance(ms) {
      const endMs = elapsedMs + ms;
      for (;;) {
        const next = due.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
        if (!next) break;
        due = due.filter((other) => other !== next);
        elapsedMs = Math.max(elapsedMs, next.atMs);
        next.action();
      }
      elapsedMs = endMs;
    },
  };
}

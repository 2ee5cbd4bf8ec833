// Something a thread does every second, and once more when it stops.
import type { Part } from '#ops/runtime/lifecycle.ts';

export function everySecond(name: string, act: () => void): Part {
  let timer: NodeJS.Timeout | undefined;
  return {
    name,
    async start() {
      timer ??= setInterval(act, 1000);
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      act();
    },
  };
}

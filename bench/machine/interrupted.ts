// Ctrl-C in the middle of a bench: what it started ends with it.
import { descendantsOf } from './processes.ts';

export function endTogether(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      for (const pid of descendantsOf(process.pid)) {
        try {
          process.kill(pid, 'SIGTERM');
        } catch {
          // It was quicker.
        }
      }
      process.exit(130);
    });
  }
}

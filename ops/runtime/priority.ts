// Who goes first when processor time is short: the thread that answers, before what can be done later.
import os from 'node:os';

/**
 * Nice values of Linux. A core that everybody wants is shared in proportion to weights: 3121 for −5, 1024 for 0, 335 for 5. So counting is never
 * starved either.
 */
const niceness = { answers: -5, counting: 5 } as const;

/** Of the calling thread, and of those that it starts from now on. False where the system does not allow it: only root, or who was granted it, may go first. */
export function setThreadPriority(of: keyof typeof niceness): boolean {
  try {
    os.setPriority(0, niceness[of]);
    return true;
  } catch {
    return false;
  }
}

// Who goes first when processor time is short: the thread that answers, before what can be done later.
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { loadCalls } from './udp/mmsg/calls.ts';

/**
 * Nice values of Linux. A core that everybody wants is shared in proportion to weights: 3121 for −5, 1024 for 0, 335 for 5. So counting is never
 * starved either.
 */
const niceness = { answers: -5, counting: 5 } as const;

/**
 * Whoever asks for short turns of the processor gets them soon: the thread that answers does not wait until another one has used up its turn
 * of 3 ms. Of Linux from 6.12 on (EEVDF); before, it changes nothing.
 */
const turnNs = 100_000;

/** Of the calling thread, and of those that it starts from now on. False where the system does not allow it: only root, or who was granted it, may go first. */
export async function setThreadPriority(of: keyof typeof niceness): Promise<boolean> {
  const allowed = isAllowed(() => os.setPriority(0, niceness[of]));
  if (of === 'answers') {
    const loaded = await loadCalls();
    if (loaded.ok) loaded.calls.schedule(os.getPriority(0), turnNs);
  }
  return allowed;
}

/**
 * Of the session of a process that answers. Where Linux groups by session (sched_autogroup, sched(7)) the nice values of threads count among
 * those of their session only, and any other session would get as much of a core. False where the system does not allow it, or does not group.
 */
export function preferSession(pid: number | 'self' = 'self'): boolean {
  return isAllowed(() => writeFileSync(`/proc/${pid}/autogroup`, String(niceness.answers)));
}

function isAllowed(set: () => void): boolean {
  try {
    set();
    return true;
  } catch {
    return false;
  }
}

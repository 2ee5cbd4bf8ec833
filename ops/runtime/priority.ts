// Who goes first when processor time is short: the thread that answers, before what can be done later.
import { readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';

/**
 * Nice values of Linux. A core that everybody wants is shared in proportion to weights: 3121 for −5, 1024 for 0, 335 for 5, 110 for 10. So
 * nobody is ever starved.
 */
const niceness = { answers: -5, counting: 5, helpers: 10 } as const;

/** Of the calling thread, and of those that it starts from now on. False where the system does not allow it: only root, or who was granted it, may go first. */
export function setThreadPriority(of: Exclude<keyof typeof niceness, 'helpers'>): boolean {
  try {
    os.setPriority(0, niceness[of]);
    return true;
  } catch {
    return false;
  }
}

/**
 * The threads with which V8 collects garbage and compiles beside those of JavaScript: together they would weigh more than the one that answers.
 * False where there is no /proc.
 */
export function setHelpersPriority(): boolean {
  try {
    for (const thread of readdirSync(threads)) {
      if (readFileSync(`${threads}/${thread}/comm`, 'utf8') === 'V8Worker\n')
        os.setPriority(Number(thread), niceness.helpers);
    }
    return true;
  } catch {
    return false;
  }
}

const threads = '/proc/self/task';

// Who goes first when processor time is short: what somebody waits for. What can be done later gives way.
import { writeFileSync } from 'node:fs';
import os from 'node:os';

/**
 * Nice values of Linux; answers have 0. Even the last gets its share: of a core that is wanted without end, 25 %, 10 % and 3 % beside
 * one thread that answers.
 */
const niceness = { store: 5, counting: 10, history: 15 } as const;

/** Of the calling thread and those it starts from now on, or of the process of this id. */
export function lowerPriority(to: keyof typeof niceness, pid = 0): void {
  os.setPriority(pid, niceness[to]);
  // Where the system groups processes by session, their nice values count within a group only, and the group has one of its own.
  if (pid > 0) tryToWrite(`/proc/${pid}/autogroup`, String(niceness[to]));
}

/** Of the calling thread, as far as the system lets it (it may be lowered by everybody, raised only by root or as RLIMIT_NICE allows). */
export function restorePriority(): void {
  try {
    os.setPriority(0);
  } catch {
    // It stays where it is.
  }
}

function tryToWrite(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch {
    // The system does not group: the value of the process stands.
  }
}

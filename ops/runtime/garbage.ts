// How much garbage the threads of a process may hold before V8 collects it.
import { setFlagsFromString } from 'node:v8';

/**
 * Where memory abounds V8 lets a heap grow to four times of what lived in it. With this a thread collects when its heap has grown by a third.
 * And it collects by itself what it would have to wait for when helpers did it. What goes on beside its work is theirs still. For every
 * thread of the process, from now on.
 */
export function collectEarly(): void {
  setFlagsFromString(`--heap-growing-percent=${growingPercent}`);
  for (const part of waitedFor) setFlagsFromString(`--no-parallel-${part}`);
  // What was said for the main thread at the start of the process would have the last word in all others too.
  setFlagsFromString('--max-semi-space-size=0');
}

const growingPercent = 35;
const waitedFor = ['scavenge', 'compaction', 'pointer-update', 'weak-ref-clearing'] as const;

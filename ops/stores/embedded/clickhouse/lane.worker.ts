// A lane for reading in a thread of its own: the engine evaluates scalar subqueries before it returns, which would stop the server.
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '#ops/runtime/errors.ts';
import type { FromLane, LaneSettings, ToLane } from './protocol.ts';
import { openEngineSession } from './session.ts';

/** Chunks on their way to the client beside the one being made. */
const window = 2;

if (!parentPort) throw new Error('lane.worker.ts runs as a worker thread only');
const port = parentPort;
const session = openEngineSession(workerData as LaneSettings);
let credit = 0;
let cancelled = false;
let resume: (() => void) | undefined;

function answer(message: FromLane): void {
  if (message.type === 'chunk') {
    const { buffer } = message.bytes;
    port.postMessage(message, buffer instanceof ArrayBuffer ? [buffer] : []);
  } else port.postMessage(message);
}

async function emit(bytes: Uint8Array): Promise<boolean> {
  while (credit === 0 && !cancelled) {
    await new Promise<void>((resolve) => {
      resume = resolve;
    });
  }
  if (cancelled) return false;
  credit--;
  answer({ type: 'chunk', bytes });
  return true;
}

port.on('message', (message: ToLane) => {
  switch (message.type) {
    case 'run':
      credit = window;
      cancelled = false;
      session.run(message.job, emit).then(
        (result) => answer({ type: 'result', result }),
        (error: unknown) => answer({ type: 'failed', message: messageOf(error) }),
      );
      return;
    case 'more':
    case 'cancel':
      if (message.type === 'more') credit++;
      else cancelled = true;
      resume?.();
      return;
    case 'close':
      // The thread stays: the engine ends with the first one of its threads that does.
      session.close();
      answer({ type: 'closed' });
      return;
    default:
      message satisfies never;
  }
});

answer({ type: 'ready' });

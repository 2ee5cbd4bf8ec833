// How a process and its supervisor agree on the moment at which a new process takes the place of the old one.
import { once } from 'node:events';

/** What the process says. `closing`: its sockets are read no more. `serving`: they are read. `ready`: everything runs. */
export type ToSupervisor = { readonly type: 'prepared' | 'closing' | 'serving' | 'ready' };

/** What the supervisor says. `go`: the predecessor is gone, start. `release`: finish what should not be cut, then stop. */
export type FromSupervisor = { readonly type: 'go' | 'release' };

/** Not a setting: the supervisor tells it to the process that it starts. `stand-by`: it must not start before `go`. */
export const supervisedVariable = 'LASTMILE_SUPERVISED';
export type SupervisedAs = 'start' | 'stand-by';

export function standsBy(): boolean {
  return process.env[supervisedVariable] === ('stand-by' satisfies SupervisedAs) && process.connected;
}

/** A supervisor that is gone needs to know nothing any more. */
export function tellSupervisor(message: ToSupervisor): void {
  if (process.env[supervisedVariable] && process.connected)
    process.send?.(message, undefined, undefined, () => undefined);
}

/** Says that everything is prepared and waits for `go`. */
export async function myTurn(): Promise<void> {
  // Nothing else may keep this process alive yet.
  process.channel?.ref();
  const go = once(process, 'message');
  tellSupervisor({ type: 'prepared' });
  const [message] = await go;
  if (!isOrder(message) || message.type !== 'go') throw new Error('the supervisor said something else than go');
  process.channel?.unref();
}

/** Calls back when the supervisor asks to make room for another process. */
export function onRelease(callback: () => void): void {
  process.on('message', (message) => {
    if (isOrder(message) && message.type === 'release') callback();
  });
  // Listening alone must not keep a finished process alive.
  process.channel?.unref();
}

function isOrder(message: unknown): message is FromSupervisor {
  return typeof message === 'object' && message !== null && 'type' in message;
}

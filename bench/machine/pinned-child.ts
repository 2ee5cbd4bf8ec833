// A TypeScript program as a child on cores of its own, spoken to in messages.
import { spawn } from 'node:child_process';

type Message = { readonly type: string };
export type Failed = { readonly type: 'failed'; readonly reason: string };

export type PinnedChild<To extends Message, From extends Message> = {
  readonly pid: number;
  tell(message: To): void;
  /** The next message of this type; rejects when the child says that it failed, or ends. `hear` is told of every other one. */
  answer<T extends From['type']>(type: T, hear?: (message: From) => void): Promise<Extract<From, { type: T }>>;
  stop(): Promise<void>;
};

/** @param cores as `taskset -c` takes them */
export function spawnPinned<To extends Message, From extends Message>(
  script: string,
  cores: string,
): PinnedChild<To, From> {
  const child = spawn('taskset', ['-c', cores, process.execPath, script], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  let lost = '';
  child.on('error', (error) => (lost = error.message));
  return {
    pid: child.pid ?? 0,
    tell: (message) => void child.send(message),
    answer: (type, hear) =>
      new Promise((resolve, reject) => {
        const finish = () => {
          child.off('message', onMessage);
          child.off('close', onClose);
        };
        const onClose = (exitCode: number | null) => {
          finish();
          reject(new Error(`${script} ended with ${exitCode} ${lost}`));
        };
        const onMessage = (message: From | Failed) => {
          if (message.type === type) resolve(message as Extract<From, { type: typeof type }>);
          else if (message.type === 'failed') reject(new Error((message as Failed).reason));
          else return hear?.(message as From);
          finish();
        };
        child.on('message', onMessage);
        child.on('close', onClose);
      }),
    stop: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once('close', () => resolve());
        child.kill('SIGTERM');
      }),
  };
}

/** The child's side: obeys one message after the other, says when one failed, ends with its parent. */
export function obeyParent<To, From extends Message>(
  obey: (message: To, tell: (message: From | Failed) => void) => Promise<void>,
): void {
  const tell = (message: From | Failed) => void process.send?.(message);
  process.on('message', (message: To) => {
    obey(message, tell).catch((error: unknown) => {
      tell({ type: 'failed', reason: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    });
  });
  process.on('disconnect', () => process.exit());
}

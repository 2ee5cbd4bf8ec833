// How a worker thread gets its settings: it loads its program first, so that the start waits for nothing that could be done before.
import { MessageChannel, type MessagePort, Worker, workerData } from 'node:worker_threads';

export type LoadedWorker = {
  readonly worker: Worker;
  /** Its program is there. Rejects when the thread ended instead. */
  readonly loaded: Promise<void>;
  /** Resolves when the thread has ended, with the reason. */
  readonly ended: Promise<Error>;
  /** Called once. */
  begin(settings: unknown): void;
};

/**
 * Starts a thread that calls {@link beginning}.
 * @param youngHeapMb of its young heap one half, see `collectEarly`; absent: as V8 likes
 */
export function loadWorker(script: URL, name: string, youngHeapMb?: number): LoadedWorker {
  const { port1, port2 } = new MessageChannel();
  // Two halves, and a third one that V8 adds for what is too large for them.
  const limits = youngHeapMb === undefined ? {} : { resourceLimits: { maxYoungGenerationSizeMb: 3 * youngHeapMb } };
  const worker = new Worker(script, { name, workerData: port2, transferList: [port2], ...limits });
  // From the beginning: whoever asks later asks in vain for an event that has been.
  const ended = new Promise<Error>((resolve) => {
    let died: Error | undefined;
    worker.once('error', (error) => (died = new Error(`${name} died`, { cause: error })));
    worker.once('exit', (code) => resolve(died ?? new Error(`${name} ended with ${code}`)));
  });
  const loaded = new Promise<void>((resolve, reject) => {
    port1.once('message', () => resolve());
    ended.then(reject);
  });
  // Whoever does not wait for it hears of a death by the thread itself.
  loaded.catch(() => undefined);
  // The thread keeps the process alive, or not.
  port1.unref();
  return { worker, loaded, ended, begin: (settings) => port1.postMessage(settings) };
}

/**
 * In the worker: its settings, when it is told to begin. A channel of its own, so that no order to the worker is lost meanwhile.
 * @param loaded what may be waited for while there is time, before it is told to begin
 */
export async function beginning<Settings>(loaded: Promise<unknown> = Promise.resolve()): Promise<Settings> {
  const port = workerData as MessagePort;
  const told = new Promise<Settings>((resolve) => port.once('message', resolve));
  // Caught by nobody: what fails ends this thread, begun or not.
  void loaded.then(() => port.postMessage('loaded'));
  const settings = await told;
  port.close();
  return settings;
}

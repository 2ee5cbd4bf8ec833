// How a worker thread gets its settings: it loads its program first, so that the start waits for nothing that could be done before.
import { MessageChannel, type MessagePort, Worker, workerData } from 'node:worker_threads';

export type LoadedWorker = {
  readonly worker: Worker;
  /** Its program is there. Rejects when the thread ended instead. */
  readonly loaded: Promise<void>;
  /** Called once. */
  begin(settings: unknown): void;
};

/** Starts a thread that calls {@link beginning}. */
export function loadWorker(script: URL, name: string): LoadedWorker {
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(script, { name, workerData: port2, transferList: [port2] });
  const loaded = new Promise<void>((resolve, reject) => {
    port1.once('message', () => resolve());
    worker.once('error', (error) => reject(new Error(`${name} died`, { cause: error })));
    worker.once('exit', (code) => reject(new Error(`${name} ended with ${code}`)));
  });
  // Whoever does not wait for it hears of a death by the thread itself.
  loaded.catch(() => undefined);
  // The thread keeps the process alive, or not.
  port1.unref();
  return { worker, loaded, begin: (settings) => port1.postMessage(settings) };
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

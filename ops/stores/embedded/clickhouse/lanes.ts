// Lanes to the engine, each with one statement at a time: some of them in worker threads, made when they are first needed.
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { messageOf } from '#ops/runtime/errors.ts';
import type { FromLane, Job, JobResult, LaneSettings, ToLane } from './protocol.ts';
import { openEngineSession } from './session.ts';

export type Emit = (bytes: Uint8Array) => Promise<boolean>;
export type Lane = { run(job: Job, emit: Emit): Promise<JobResult>; close(): Promise<void> };

/** A lane of this thread, for statements that the engine runs wholly in its own threads. */
export function createLane(settings: LaneSettings): Lane {
  const session = openEngineSession(settings);
  return { run: (job, emit) => session.run(job, emit), close: async () => session.close() };
}

/** `onDeath` hears of a thread that ended: the engine is gone with it. */
export async function createWorkerLane(settings: LaneSettings, onDeath: (error: unknown) => void): Promise<Lane> {
  const worker = new Worker(path.join(import.meta.dirname, 'lane.worker.ts'), { workerData: settings });
  const post = (message: ToLane) => worker.postMessage(message);
  let hear: (message: FromLane) => void = () => {};
  worker.on('message', (message: FromLane) => hear(message));
  worker.once('error', onDeath);
  worker.once('exit', (code) => onDeath(new Error(`a lane's thread ended with exit code ${code}`)));
  const next = (type: FromLane['type']) =>
    new Promise<void>((resolve) => {
      hear = (message) => {
        if (message.type === type) resolve();
      };
    });
  await next('ready');

  return {
    run: (job, emit) =>
      new Promise((resolve, reject) => {
        hear = (message) => {
          switch (message.type) {
            case 'chunk':
              emit(message.bytes).then(
                (wanted) => post({ type: wanted ? 'more' : 'cancel' }),
                () => post({ type: 'cancel' }),
              );
              return;
            case 'result':
              return resolve(message.result);
            case 'failed':
              return reject(new Error(message.message));
            case 'ready':
            case 'closed':
              return;
            default:
              message satisfies never;
          }
        };
        post({ type: 'run', job });
      }),
    close: () => {
      const closed = next('closed');
      post({ type: 'close' });
      return closed;
    },
  };
}

/** More wait for a lane than are let in: answered like ClickHouse's TOO_MANY_SIMULTANEOUS_QUERIES. */
export class LanesFull extends Error {
  override name = 'LanesFull';
}

export type Lanes = {
  /** Runs `use` with a lane of its own. Waiting ends by `signal`. @throws {LanesFull} */
  with<T>(signal: AbortSignal, use: (lane: Lane) => Promise<T>): Promise<T>;
  close(): Promise<void>;
};

export function createLanes(options: { size: number; waiting: number; open: () => Promise<Lane> }): Lanes {
  const { size, waiting: longest, open } = options;
  const all: Promise<Lane>[] = [];
  const free: Lane[] = [];
  const waiting: { give(lane: Lane): void }[] = [];

  async function take(signal: AbortSignal): Promise<Lane> {
    signal.throwIfAborted();
    const lane = free.pop();
    if (lane) return lane;
    if (all.length < size) {
      const opening = open();
      all.push(opening);
      return opening;
    }
    if (waiting.length >= longest) throw new LanesFull(`${longest} statements wait already`);
    return new Promise((resolve, reject) => {
      const entry = {
        give(given: Lane) {
          signal.removeEventListener('abort', leave);
          resolve(given);
        },
      };
      const leave = () => {
        waiting.splice(waiting.indexOf(entry), 1);
        reject(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
      waiting.push(entry);
    });
  }

  function giveBack(lane: Lane): void {
    const next = waiting.shift();
    if (next) next.give(lane);
    else free.push(lane);
  }

  return {
    async with(signal, use) {
      const lane = await take(signal);
      try {
        return await use(lane);
      } finally {
        giveBack(lane);
      }
    },
    async close() {
      await Promise.all(all.map(async (lane) => (await lane).close().catch(messageOf)));
    },
  };
}

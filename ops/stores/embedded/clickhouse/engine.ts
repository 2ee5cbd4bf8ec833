// The engine with its lanes: inserts have their own, readings theirs, and what kills the others runs beside them.
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createLane, createLanes, createWorkerLane, type Emit, type Lane } from './lanes.ts';
import type { Job, JobResult, LaneSettings } from './protocol.ts';
import type { QueryRequest } from './request.ts';
import { createTokenSync } from './tokens.ts';

export type EngineOptions = {
  settings: LaneSettings;
  readLanes: number;
  insertLanes: number;
  /** Statements that may wait for a lane of each kind. */
  waiting: number;
  /** The engine is lost: the process must end. */
  onDeath: (error: unknown) => void;
};

export type Insert = { sql: string; request: QueryRequest; signal: AbortSignal };
export type Query = Insert & { kind: 'select' | 'kill' | 'other'; format: string; streamed: boolean; emit: Emit };

export type Engine = {
  readonly version: string;
  /** Once begun it is finished, also when the client is gone. */
  insert(insert: Insert): Promise<JobResult>;
  /** Killed when the client goes. */
  query(query: Query): Promise<JobResult>;
  close(): Promise<void>;
};

export async function openEngine(options: EngineOptions): Promise<Engine> {
  const { settings, readLanes, insertLanes, waiting, onDeath } = options;
  const control = createLane(settings);
  const tokens = createTokenSync(settings.directory);
  let controlled: Promise<unknown> = Promise.resolve();
  const inserts = createLanes({ size: insertLanes, waiting, open: async () => createLane(settings) });
  const reads = createLanes({ size: readLanes, waiting, open: () => createWorkerLane(settings, onDeath) });

  /** One after the other on the lane that never has a long statement. */
  function command(job: Job, emit: Emit): Promise<JobResult> {
    const turn = controlled.then(() => control.run(job, emit));
    controlled = turn.catch(() => {});
    return turn;
  }

  async function textOf(sql: string): Promise<string> {
    const parts: Uint8Array[] = [];
    const emit = async (bytes: Uint8Array) => parts.push(bytes) > 0;
    await command(
      { sql, format: 'TabSeparated', streamed: false, stateful: false, database: 'default', settings: {} },
      emit,
    );
    return Buffer.concat(parts).toString('utf8').trim();
  }

  /** A statement may not be known yet when its client goes, and may not listen at once: asked until it is over. */
  async function kill(id: string, over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      // Its own text must not match: the two parts are joined by the engine.
      await textOf(`KILL QUERY WHERE position(query, concat('lastmile:', '${id}')) > 0 ASYNC`);
      await delay(50);
    }
  }

  async function killable(lane: Lane, job: Job, id: string, { signal, emit }: Query): Promise<JobResult> {
    const over = new AbortController();
    const onGone = () => kill(id, over.signal).catch(onDeath);
    signal.throwIfAborted();
    signal.addEventListener('abort', onGone, { once: true });
    try {
      return await lane.run(job, emit);
    } finally {
      over.abort();
      signal.removeEventListener('abort', onGone);
    }
  }

  const version = await textOf('SELECT version()');
  return {
    version,
    async insert({ sql, request, signal }) {
      const { database, settings: own } = request;
      const job = { sql, format: 'TabSeparated', streamed: false, stateful: false, database, settings: own };
      const result = await inserts.with(signal, (lane) => lane.run(job, async () => true));
      await tokens.sync();
      return result;
    },
    async query(query) {
      const id = randomUUID();
      const { database, settings: own } = query.request;
      const { format, streamed } = query;
      const stateful = query.kind === 'other';
      const job = { sql: `${query.sql}\n/* lastmile:${id} */`, format, streamed, stateful, database, settings: own };
      if (query.kind === 'kill') return command(job, query.emit);
      const result = await reads.with(query.signal, (lane) => killable(lane, job, id, query));
      if (query.kind === 'other') await tokens.sync();
      return result;
    },
    async close() {
      await Promise.all([inserts.close(), reads.close(), controlled]);
      await control.close();
    },
  };
}

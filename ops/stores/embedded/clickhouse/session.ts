// One session of the engine: runs a statement at a time and leaves no setting, parameter or temporary table to the next one.
import { Session } from 'chdb';
import { wholeResultBytes } from './configuration.ts';
import type { Job, JobResult, LaneSettings } from './protocol.ts';
import { escapeText } from './text.ts';

export type EngineSession = {
  /** `emit` gets the answer's bytes and slows the engine by its promise; false ends the statement. */
  run(job: Job, emit: (bytes: Uint8Array) => Promise<boolean>): Promise<JobResult>;
  close(): void;
};

export function openEngineSession({ directory, engineArguments }: LaneSettings): EngineSession {
  const open = () => new Session(directory, { connectionArgs: [...engineArguments] });
  let session = open();
  let database = 'default';
  let limited = true;

  /** Opening takes half a millisecond, and nothing that was set can be forgotten. */
  function renew(): void {
    session.close();
    session = open();
    database = 'default';
    limited = true;
  }

  async function prepare(job: Job): Promise<void> {
    if (job.database !== database) {
      await session.queryAsync(`USE ${quoteName(job.database)}`);
      database = job.database;
    }
    // What is not streamed is held in memory: the engine's own limit for it is on by default.
    if (limited === job.streamed) {
      limited = !job.streamed;
      await session.queryAsync(`SET max_result_bytes = ${limited ? wholeResultBytes : 0}`);
    }
    const assignments = Object.entries(job.settings).map(([name, value]) => `${name} = '${escapeText(value)}'`);
    if (assignments.length > 0) await session.queryAsync(`SET ${assignments.join(', ')}`);
  }

  async function whole(job: Job, emit: (bytes: Uint8Array) => Promise<boolean>): Promise<JobResult> {
    const result = await session.queryAsync(job.sql, { format: job.format });
    const bytes = result.bytes();
    if (bytes.length > 0) await emit(bytes);
    return { rows: result.rowsRead, bytes: result.bytesRead };
  }

  async function streamed(job: Job, emit: (bytes: Uint8Array) => Promise<boolean>): Promise<JobResult> {
    const total = { rows: 0, bytes: 0 };
    let complete = false;
    try {
      for await (const chunk of session.queryStream(job.sql, { format: job.format })) {
        total.rows += chunk.numRows;
        total.bytes += chunk.numBytes;
        if (chunk.numBytes > 0 && !(await emit(chunk.raw()))) return total;
      }
      complete = true;
      return total;
    } finally {
      // The engine lets go of a stream that failed or was left only when the session's next statement comes.
      if (!complete) await session.queryAsync('SELECT 1');
    }
  }

  return {
    async run(job, emit) {
      try {
        await prepare(job);
        return await (job.streamed ? streamed(job, emit) : whole(job, emit));
      } finally {
        if (job.stateful || Object.keys(job.settings).length > 0) renew();
      }
    },
    close: () => session.close(),
  };
}

function quoteName(name: string): string {
  return `\`${name.replaceAll(/[`\\]/g, '\\$&')}\``;
}

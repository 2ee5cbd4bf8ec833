// What a lane is asked and what it answers: the same within the main thread and over a worker's message port.

/** One statement for the engine. */
export type Job = {
  /** Ends or begins with the comment by which it can be found and killed. */
  readonly sql: string;
  /** Output format unless the statement names its own. */
  readonly format: string;
  /** Whether chunks may be sent while it runs: only for formats whose chunks can be joined. */
  readonly streamed: boolean;
  /** Whether it may be one that changes its session: SET, USE, CREATE TEMPORARY TABLE and their like. */
  readonly stateful: boolean;
  readonly database: string;
  /** Settings and `param_*`, for this statement alone. */
  readonly settings: Readonly<Record<string, string>>;
};

export type JobResult = { rows: number; bytes: number };

export type LaneSettings = { readonly directory: string; readonly engineArguments: readonly string[] };

export type ToLane =
  | { readonly type: 'run'; readonly job: Job }
  /** One more chunk may be sent. */
  | { readonly type: 'more' }
  /** Nobody reads any more: end at the next chunk. */
  | { readonly type: 'cancel' }
  | { readonly type: 'close' };

export type FromLane =
  | { readonly type: 'ready' }
  | { readonly type: 'chunk'; readonly bytes: Uint8Array }
  | { readonly type: 'result'; readonly result: JobResult }
  | { readonly type: 'failed'; readonly message: string }
  | { readonly type: 'closed' };

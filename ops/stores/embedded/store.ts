// What the supervisor needs to know of an embedded store.

export type EmbeddedStore = {
  name: string;
  /** Known once started. */
  url(): string;
  /** Ready to serve when it resolves. @throws with the reason and the remedy. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Resolves with the reason when the server that was started last ends. */
  ended(): Promise<string>;
  /** Signals it to end cleanly, without waiting. */
  abandon(): void;
};

export type Say = (line: string) => void;

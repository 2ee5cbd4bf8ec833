// What the supervisor knows of an embedded store.

export type EmbeddedStore = {
  name: string;
  /** Known once started. */
  url(): string;
  /** Ready to serve when it resolves. @throws with the reason and the remedy. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Resolves with the reason when the running server ends without being asked to. */
  ended(): Promise<string>;
};

export type Say = (line: string) => void;

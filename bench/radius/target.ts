// A server under test, ours or a peer.
import type { Footprint } from '../lastmile/footprint.ts';
import type { Accounts } from '../load/login-class.ts';

export type Target = {
  readonly name: string;
  /** Only returns what it gets: its replies cannot be verified. */
  readonly echo?: true;
  readonly authPort: number;
  readonly acctPort: number;
  /** What is certain when an Accounting-Response is sent. */
  readonly durability: string;
  readonly accounts: Accounts;
  /** Resolves when this many records that were acknowledged since the last call are counted; null: this server counts nothing. */
  readonly whenCounted: ((records: number) => Promise<void>) | null;
  /** Bytes of all sessions since it started, as the server itself has them. */
  total(): Promise<Bytes>;
  /** Brings every subscriber online and starts the server anew; the last that is done with it. Absent where it is not measured. */
  footprint?(): Promise<Footprint>;
  /** Packets that it left unanswered on purpose, so far; absent: it does not say. */
  unanswered?(): Promise<Unanswered>;
  /** What a server said, for when something fails. */
  output(): string;
  stop(): Promise<void>;
};

export type Unanswered = { readonly overload: number; readonly hashBusy: number; readonly all: number };

export type Bytes = { readonly upBytes: number; readonly downBytes: number };

// What the bench of the storm and its subscribers, a process of its own, say to each other.
import type { ExchangeCounts } from './exchange.ts';
import type { InterimLoad } from './interims.ts';

export type StormPlan = {
  /** user0 … */
  readonly subscribers: number;
  /** From this one on passwords are stored as slow hashes. */
  readonly slowFrom: number;
  readonly password: string;
  /** All of them dial within so long. */
  readonly dialInMs: number;
  /** Begins the id of every session. */
  readonly run: string;
};

export type StormPreparation = StormPlan & {
  readonly authPort: number;
  readonly acctPort: number;
  readonly secret: string;
  /** It is over then, whoever is still without an answer. */
  readonly mostSeconds: number;
};

/** How far everybody is while the storm lasts. */
export type StormProgress = {
  readonly seconds: number;
  readonly online: number;
  /** Sessions whose Start was acknowledged. */
  readonly reported: number;
  /** Logins that an access server waits for just now; the other devices pause before they dial again. */
  readonly asking: number;
};

/** What happened in half a second. */
export type StormWindow = {
  readonly fromMs: number;
  /** New attempts, and repetitions. */
  sent: number;
  repeated: number;
  /** Logins answered in time, and too late. */
  online: number;
  late: number;
  /** Starts that were acknowledged. */
  reported: number;
  /** The most that waited in the kernel in front of the server. */
  waitingBytes: number;
};

export type Spread = { readonly p50: number; readonly p99: number; readonly max: number };
/** Milliseconds from when they dialed; `ninetyPercentMs` from when the storm began, null: never. */
export type Group = Spread & { readonly subscribers: number; readonly ninetyPercentMs: number | null };

export type StormResult = {
  readonly seconds: number;
  readonly online: number;
  /** Sessions whose Start was acknowledged. */
  readonly reported: number;
  readonly logins: ExchangeCounts;
  readonly starts: ExchangeCounts;
  readonly quick: Group;
  readonly slow: Group;
  readonly startMs: Spread;
  readonly interims: InterimLoad | null;
  readonly windows: readonly StormWindow[];
};

export type ToClients =
  | { readonly type: 'prepare'; readonly preparation: StormPreparation }
  | { readonly type: 'storm' };
export type FromClients =
  | { readonly type: 'prepared' }
  | { readonly type: 'progress'; readonly progress: StormProgress }
  | { readonly type: 'over'; readonly result: StormResult };

// What the bench and its generator, a process of its own, say to each other.
import type { AccessPackets } from './access-packets.ts';
import type { AccountingPackets } from './accounting-packets.ts';

/** Which packets to make before a run, and through which sockets they will go. */
export type Preparation = {
  readonly port: number;
  readonly secret: string;
  /** Source ports. */
  readonly sockets: number;
  /** Requests outstanding at most. */
  readonly lines: number;
  readonly packets:
    | ({ readonly kind: 'access' } & Omit<AccessPackets, 'secret'>)
    | ({ readonly kind: 'accounting' } & Omit<AccountingPackets, 'secret'>);
  /** Replies of an echo carry no authenticators. */
  readonly verify: boolean;
};

export type RunPlan = {
  readonly warmUpMs: number;
  /** Warms up until as many are answered as the ring has, where that takes longer; but no longer than this. */
  readonly ringMs?: number;
  readonly measureMs: number;
  /** Ends when every line has sent all it has, however long that takes; else when the first one has, or the time is over. */
  readonly toTheEnd?: true;
  /** Requests per second at even distances; null: every line sends its next request as soon as the last one is answered. */
  readonly perSecond: number | null;
  /** With a pace: rest between requests instead of watching the clock; a millisecond late, but the core is free for others. */
  readonly gentle?: true;
};

export type RunResult = {
  /** Of the measured span. */
  readonly seconds: number;
  readonly answered: number;
  readonly perSecond: number;
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly p999: number; readonly max: number };
  /** Cores that the generator used. */
  readonly generatorCores: number;
  /** Of the whole run, from its first request to its last reply. */
  readonly total: RunTotals;
  /** The prepared packets were used up before the time was over. */
  readonly exhausted: boolean;
};

export type RunTotals = {
  readonly seconds: number;
  readonly sent: number;
  readonly answered: number;
  /** Answered with another code than was expected. */
  readonly refused: number;
  readonly retried: number;
  /** Never answered, however often it was sent. */
  readonly lost: number;
  /** Replies that belong to no outstanding request. */
  readonly stray: number;
  /** Replies with a wrong authenticator, or malformed ones. */
  readonly bad: number;
  /** Replies whose authenticators were checked. */
  readonly verified: number;
  /** Where each login is to get an address: Accepts without one, and with one that another login got. */
  readonly withoutAddress: number;
  readonly doubledAddress: number;
  /** Bytes that the answered records reported. */
  readonly upBytes: number;
  readonly downBytes: number;
};

export type ToGenerator =
  | { readonly type: 'prepare'; readonly preparation: Preparation }
  | { readonly type: 'run'; readonly plan: RunPlan };

export type FromGenerator =
  | { readonly type: 'prepared'; readonly packets: number }
  /** The measured span begins or ends now. */
  | { readonly type: 'measuring' }
  | { readonly type: 'measured' }
  | { readonly type: 'result'; readonly result: RunResult };

// What there is to see of a run at one moment, as plain data: for the screen, the progress lines and the picture.

import type { Phase } from '../isp/life.ts';
import type { DemoEvent } from '../isp/meters.ts';

export type ServerView = {
  readonly name: string;
  readonly address: string;
  readonly phase: Phase;
  readonly online: number;
  readonly throttled: number;
  readonly downBps: number;
  readonly upBps: number;
  readonly accountingPerS: number;
  readonly dynamicRequests: number;
};

export type View = {
  readonly elapsedS: number;
  /** null: until Ctrl-C. */
  readonly durationS: number | null;
  /** Seconds of the subscribers' day in one of ours. */
  readonly factor: number;
  readonly clock: string;
  readonly subscribers: number;
  readonly online: number;
  readonly loginsPerS: number;
  readonly accepts: number;
  readonly rejects: number;
  /** In the subscribers' time: what their links carry. */
  readonly downBps: number;
  readonly upBps: number;
  /** At even distances, the newest last. */
  readonly downHistory: readonly number[];
  readonly upHistory: readonly number[];
  readonly accountingPerS: number;
  readonly responseMs: Percentiles;
  readonly retransmissions: number;
  /** Datagrams lost, doubled or delayed on purpose. */
  readonly mishaps: number;
  readonly throttled: number;
  readonly dynamicRequests: number;
  readonly dynamicAcked: number;
  readonly lagMs: Percentiles;
  /** Acknowledged in accounting, exported in flows, exported but lost on purpose. */
  readonly radiusBytes: number;
  readonly flowBytes: number;
  readonly flowLostBytes: number;
  /** What the ledger has not counted yet; null when aaa-server does not say. */
  readonly backlogBytes: number | null;
  readonly flow: string;
  /** What else is to be known: why no CoA comes, that the brake holds, that the run ends. */
  readonly notice: string | null;
  readonly servers: readonly ServerView[];
  /** Newest first. */
  readonly events: readonly DemoEvent[];
};

export type Percentiles = { readonly p50: number | null; readonly p99: number | null };

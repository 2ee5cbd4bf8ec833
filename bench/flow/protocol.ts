// What the bench and its sender of flows, a process of its own, say to each other.
import type { FlowFormat } from './datagrams.ts';

export type FlowLoad = {
  readonly format: FlowFormat;
  readonly recordsEach: number;
  /** Addresses 127.0.1.1, 127.0.1.2, … each with a sequence of its own. */
  readonly exporters: number;
  /** Prepared of each exporter. */
  readonly datagrams: number;
  readonly subscribers: number;
};

export type Sent = {
  readonly datagrams: number;
  readonly flows: number;
  readonly flowBytes: number;
  readonly seconds: number;
  /** Cores that the sender used. */
  readonly cores: number;
};

export type ToSender =
  | { readonly type: 'prepare'; readonly load: FlowLoad }
  /** Infinity is told as null: as fast as it can. */
  | { readonly type: 'send'; readonly port: number; readonly perSecond: number | null; readonly seconds: number };

export type FromSender = { readonly type: 'prepared' } | { readonly type: 'sent'; readonly sent: Sent };

// A collector under test, ours or a peer.
import type { Placement } from '../machine/placement.ts';

export type FlowCollector = {
  readonly name: string;
  /** What it does with a flow: more work is no fault. */
  readonly does: string;
  readonly placement: Placement;
  /** Ready to receive; one trial at a time. */
  begin(): Promise<Trial>;
  close(): Promise<void>;
};

export type Trial = {
  readonly port: number;
  /** It has worked off everything that its socket held. */
  settled(): Promise<void>;
  /** What the collector itself has. */
  end(): Promise<Collected>;
};

export type Collected = { readonly flows: number; readonly flowBytes: number };

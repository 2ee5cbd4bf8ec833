// NetFlow version 5: a 24-octet header and records of 48 octets in a fixed layout (Cisco, NetFlow Export Datagram Format).
import type { Field } from './layout.ts';

export const headerLength5 = 24;
export const recordLength5 = 48;

/** The record as a template, so that one compiler reads every version. Element 0 is padding. */
export const fields5: readonly Field[] = (
  [
    [8, 4],
    [12, 4],
    [15, 4],
    [10, 2],
    [14, 2],
    [2, 4],
    [1, 4],
    [22, 4],
    [21, 4],
    [7, 2],
    [11, 2],
    [0, 1],
    [6, 1],
    [4, 1],
    [5, 1],
    [16, 2],
    [17, 2],
    [9, 1],
    [13, 1],
    [0, 2],
  ] as const
).map(([element, length]) => ({ element, length }));

export type Header5 = {
  /** Records the header speaks of. */
  readonly count: number;
  readonly uptimeMs: number;
  readonly exportedAtMs: number;
  /** Flows sent before this datagram. */
  readonly sequence: number;
  /** Engine type · 256 + engine id: each counts its own sequence. */
  readonly engine: number;
  /** 0 = not told. */
  readonly samplingRate: number;
};

/** Reads the header at `at`; the caller knows that its 24 octets are there. */
export function readHeader5(view: DataView, at: number): Header5 {
  return {
    count: view.getUint16(at + 2),
    uptimeMs: view.getUint32(at + 4),
    exportedAtMs: view.getUint32(at + 8) * 1000 + Math.floor(view.getUint32(at + 12) / 1e6),
    sequence: view.getUint32(at + 16),
    engine: view.getUint16(at + 20),
    // The two high bits are the mode.
    samplingRate: view.getUint16(at + 22) & 0x3fff,
  };
}

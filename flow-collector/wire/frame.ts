// What every record of a set shares: one object a decoder, filled again for each datagram.
import { createExporter, type Exporter } from './exporter.ts';

export type Frame = {
  exporter: Exporter;
  version: number;
  receivedAtMs: number;
  /** The exporter's clock when the datagram left, UTC ms. */
  exportedAtMs: number;
  /** Milliseconds since the exporter's start, modulo 2^32: FIRST_SWITCHED and LAST_SWITCHED count like this. */
  uptimeMs: number;
  /** Of flows that name no sampler and no rate. */
  samplingRate: number;
  /** `flag` bits that every flow of the set starts with. */
  flags: number;
};

export function createFrame(): Frame {
  return {
    exporter: createExporter('', 0),
    version: 0,
    receivedAtMs: 0,
    exportedAtMs: 0,
    uptimeMs: 0,
    samplingRate: 1,
    flags: 0,
  };
}

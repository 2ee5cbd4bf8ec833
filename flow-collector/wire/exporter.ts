// An exporter as the collector knows it: whose templates, which settings, and where decoding counts.
import { countNames } from './counts.ts';

/** One object per exporter, kept by the caller for as long as rows or counts speak of it. */
export type Exporter = {
  /** Key of its templates: the source address, with a port behind it where several exporters share one address. */
  readonly address: string;
  /** The caller's number for it, 0…2^21 − 1, written to column `exporter`. */
  readonly index: number;
  /** One packet of this many, where the exporter does not tell; null = unsampled then. */
  samplingRate: number | null;
  /** Elements 85 and 86 (totals of a flow) are counted: right only where each flow is exported once. */
  totalsAreDeltas: boolean;
  /** The operator knows it: its templates are the last to be given up under a flood of unknown senders. */
  known: boolean;
  /** By `countIndex`. */
  readonly counts: Float64Array;
};

export function createExporter(
  address: string,
  index: number,
  settings: Partial<Pick<Exporter, 'samplingRate' | 'totalsAreDeltas' | 'known'>> = {},
): Exporter {
  return {
    address,
    index,
    samplingRate: settings.samplingRate ?? null,
    totalsAreDeltas: settings.totalsAreDeltas ?? false,
    known: settings.known ?? false,
    counts: new Float64Array(countNames.length),
  };
}

// Speeds as the catalog writes them: Mbps with up to three decimals, kept exactly as bits per second.

/** Bits per second of `mbps`; undefined when it is not a positive number with at most three decimals or is above 10 Tbps. */
export function bpsOfMbps(mbps: number): number | undefined {
  const kbps = Math.round(mbps * 1000);
  if (!(kbps >= 1 && kbps <= 10_000_000_000) || kbps / 1000 !== mbps) return undefined;
  return kbps * 1000;
}

/** Mbps of bits per second that {@link bpsOfMbps} gave. */
export function mbpsOfBps(bps: number): number {
  return bps / 1_000_000;
}

// The usages at which a tariff's fair-use rules begin: the ledger reports when one is reached.
import type { FupRule } from './rules.ts';
import type { Threshold } from './usage.ts';

/** Each distinct threshold once. */
export function thresholdsOf(rules: readonly FupRule[]): Threshold[] {
  const byText = new Map(
    rules.map(({ window, direction, thresholdBytes }) => [
      `${window} ${direction} ${thresholdBytes}`,
      { window, direction, bytes: thresholdBytes },
    ]),
  );
  return [...byText.values()];
}

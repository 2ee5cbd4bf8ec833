// Looks for the highest rate that a collector keeps up with: grows until it fails, halves the gap, then has the result confirmed.

/** `kept`: nothing was lost. `reached`: the rate at which it was really sent. */
export type Outcome = { readonly kept: boolean; readonly reached: number };

export type Found = {
  readonly perSecond: number;
  /** The sender could not send faster: the collector may keep up with more. */
  readonly limitedBySender: boolean;
};

export type SearchOptions = {
  readonly first: number;
  /** Nothing faster is tried. */
  readonly most: number;
  /** So many trials in a row must keep at the rate that is found. */
  readonly confirmations: number;
  /** The gap is closed to this ratio. */
  readonly precision: number;
};

const growth = 1.6;
/** A sender that reaches less than this of what it was asked for, so many times, is at its end. */
const senderShare = 0.9;
const senderTries = 2;
const tooSlow = 10;

/** @param trial `confirming` ones may last longer. @returns 0 when nothing is kept at any rate */
export async function highestRate(
  trial: (perSecond: number, confirming: boolean) => Promise<Outcome>,
  { first, most, confirmations, precision }: SearchOptions,
): Promise<Found> {
  let low = 0;
  let high = Number.POSITIVE_INFINITY;
  let limitedBySender = false;
  let short = 0;
  for (let rate = first; high / low > precision; ) {
    const { kept, reached } = await trial(rate, false);
    if (kept) low = Math.max(low, reached);
    else high = Math.min(high, rate);
    short = kept && reached < rate * senderShare ? short + 1 : 0;
    limitedBySender = short >= senderTries;
    if (limitedBySender || high < tooSlow || (kept && rate >= most)) break;
    if (short > 0) continue;
    rate = high === Number.POSITIVE_INFINITY ? Math.min(most, rate * growth) : low === 0 ? high / 2 : (low + high) / 2;
  }
  for (let rate = low; rate >= tooSlow; rate *= 0.95, limitedBySender = false) {
    const outcomes: Outcome[] = [];
    do outcomes.push(await trial(rate, true));
    while (outcomes.at(-1)?.kept && outcomes.length < confirmations);
    if (outcomes.every(({ kept }) => kept)) {
      return { perSecond: Math.min(...outcomes.map(({ reached }) => reached)), limitedBySender };
    }
  }
  return { perSecond: 0, limitedBySender: false };
}

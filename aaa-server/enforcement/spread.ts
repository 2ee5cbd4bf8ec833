// Mass events go in waves: over how long the changes of one evaluation are spread.
const atOnce = 50;
const eachMs = 10;
const longestMs = 60_000;

/** 0 for a few, 10 ms each for many, at most a minute. */
export function spreadMs(count: number): number {
  return count <= atOnce ? 0 : Math.min(longestMs, count * eachMs);
}

// Random numbers of the demo: a seeded generator, so that a test sees the same world again.

/** In [0, 1). */
export type Random = () => number;

/** mulberry32: 32 bits of state are plenty for a simulation. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function between(random: Random, from: number, to: number): number {
  return from + (to - from) * random();
}

/** Whole, from ≤ x < to. */
export function wholeBetween(random: Random, from: number, to: number): number {
  return Math.floor(between(random, from, to));
}

export function oneOf<T>(random: Random, choices: readonly [T, ...T[]]): T {
  return choices[wholeBetween(random, 0, choices.length)] ?? choices[0];
}

// What a subscriber wants of the network from moment to moment: mail, bursts, films, and now and then everything there is.
import type { Speed } from '#policy/speed.ts';
import { between, type Random } from '../random.ts';

export type Appetite = {
  /** Wanted now, before the access server limits it. `activity`: of the hour, `moderation`: what the subscriber denies himself. */
  wanted(nowMs: number, activity: number, moderation: number): Speed;
  /** Downloads as fast as it goes until told otherwise. */
  devour(hungry: boolean): void;
  devouring(): boolean;
};

type Mood = { readonly below: number; readonly fromBps: number; readonly toBps: number };
const kilo = 1000;
const mega = 1_000_000;

/** `below`: dice lower than this choose it, if none before did. */
const moods: readonly Mood[] = [
  { below: 0.4, fromBps: 10 * kilo, toBps: 60 * kilo },
  { below: 0.8, fromBps: 500 * kilo, toBps: 3 * mega },
  { below: 1, fromBps: 4 * mega, toBps: 8 * mega },
];
const moodMs = { from: 1000, to: 7000 };
const everything = Number.POSITIVE_INFINITY;

export function createAppetite(random: Random): Appetite {
  const weight = between(random, 0.4, 1.6);
  const upShare = between(random, 0.05, 0.25);
  const upOfMuchBps = between(random, mega, 4 * mega);
  let hungry = false;
  let downBps = 0;
  let untilMs = Number.NEGATIVE_INFINITY;

  function changeMood(nowMs: number): void {
    const dice = random();
    const mood = moods.find(({ below }) => dice < below);
    downBps = mood ? weight * between(random, mood.fromBps, mood.toBps) : 0;
    untilMs = nowMs + between(random, moodMs.from, moodMs.to);
  }

  return {
    wanted(nowMs, activity, moderation) {
      if (hungry) return { upBps: upOfMuchBps, downBps: everything };
      if (nowMs >= untilMs) changeMood(nowMs);
      const down = downBps * activity * moderation;
      return { upBps: down * upShare, downBps: down };
    },
    devour(now) {
      hungry = now;
    },
    devouring: () => hungry,
  };
}

/**
 * How much of his wishes a subscriber allows himself near his fair-use limit: all below half of it, next to nothing from 70 % on. So
 * the ones who cross it are those who mean to, at a pace, and the brake of Lastmile need not step in.
 */
export function moderation(usedBytes: number, limitBytes: number): number {
  const left = (0.7 * limitBytes - usedBytes) / (0.2 * limitBytes);
  return Math.min(1, Math.max(0.02, left));
}

/** What a link of `speed` carries of it in `seconds`, in whole bytes. */
export function carried(wanted: Speed, speed: Speed, seconds: number): { up: number; down: number } {
  return {
    up: Math.floor((Math.min(wanted.upBps, speed.upBps) / 8) * seconds),
    down: Math.floor((Math.min(wanted.downBps, speed.downBps) / 8) * seconds),
  };
}

// The network between an access server and Lastmile as it is outside a laboratory: a datagram is now and then lost, doubled or late.
import { between, type Random } from '../random.ts';

export type Weather = {
  /** Shares of the datagrams, 0 … 1. */
  readonly lost: number;
  readonly doubled: number;
  readonly late: number;
  /** A late one arrives after others that were sent after it. */
  readonly lateMs: { readonly from: number; readonly to: number };
};

export const fair: Weather = { lost: 0, doubled: 0, late: 0, lateMs: { from: 0, to: 0 } };
export const changeable: Weather = { lost: 0.006, doubled: 0.006, late: 0.006, lateMs: { from: 200, to: 2500 } };

export type Mishaps = { lost: number; doubled: number; late: number };

export type Network = {
  /** Passes a datagram on: `deliver` is called never, once or twice, now or later. */
  pass(deliver: () => void): void;
  /** Late datagrams that are still on their way. */
  underWay(): number;
};

export type NetworkDeps = {
  random: Random;
  /** Counted here. */
  mishaps: Mishaps;
  later(run: () => void, delayMs: number): void;
};

export function createNetwork(weather: Weather, { random, mishaps, later }: NetworkDeps): Network {
  let underWay = 0;
  return {
    underWay: () => underWay,
    pass(deliver) {
      const dice = random();
      if (dice < weather.lost) {
        mishaps.lost++;
      } else if (dice < weather.lost + weather.doubled) {
        mishaps.doubled++;
        deliver();
        deliver();
      } else if (dice < weather.lost + weather.doubled + weather.late) {
        mishaps.late++;
        underWay++;
        later(
          () => {
            underWay--;
            deliver();
          },
          between(random, weather.lateMs.from, weather.lateMs.to),
        );
      } else deliver();
    },
  };
}
